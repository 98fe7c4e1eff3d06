"""Gives the firmware's own names short ones before it is compiled: a name costs 20 bytes of heap, and its letters in every file.

State: none. Own is what the firmware itself binds: classes, functions, attributes, globals, arguments. What others give names to
keeps them: MicroPython, the libraries, JSON, keywords of calls, exceptions (their names are in the log), boot.py and main.py.
Names that never meet share a short one, so some hundred serve all. `SOURCE=1` stages the files as they are written.
"""

import ast
import itertools
import keyword
import pathlib
import re
import string

# Bound by the firmware, and by MicroPython or a library under the same name: a test looks for what is missing here.
# fmt: off
FOREIGN = {
    "AF_INET", "IPPROTO_TCP", "SOCK_DGRAM", "SOCK_STREAM", "Stream", "add", "append", "address", "celsius", "client_id", "code",
    "count", "decode", "digest", "disconnect", "done", "drive", "failure", "feed", "flush", "get_blob", "getaddrinfo",
    "id", "ioctl", "limit", "load", "log", "lw_msg", "lw_topic", "makefile", "next", "number", "pid", "push",
    "readinto", "readline", "received", "recv", "recvfrom", "send", "sendall", "sendto", "sequence", "serve", "set", "setblocking",
    "settings", "settimeout", "size", "sock", "step", "stream", "take", "task", "tell", "verify_callback",
    "verify_mode", "wait_for",
}
# fmt: on
_LETTERS = string.ascii_letters


class Shortener:
    """The short names for files: {path: text}; paths in `plain` are staged as written. The same files give the same names.

    Raises SyntaxError where a file is no Python.
    """

    def __init__(self, files, plain=()):
        trees = {path: ast.parse(text, str(path)) for path, text in files.items()}
        self.keywords = _keywords(trees.values())
        own = set().union(*map(_bound, trees.values()))
        kept = FOREIGN | self.keywords | _texts(trees.values()) | _exceptions(trees.values())
        kept |= {part for path in files for part in (pathlib.PurePath(path).stem, pathlib.PurePath(path).parent.name)}
        kept |= set().union(*(_identifiers(trees[path]) for path in plain))
        own = {name for name in own - kept if not name.startswith("__")}
        others = set().union(*map(_identifiers, trees.values())) - own | FOREIGN
        self.short = _assign(_neighbours(trees, own), others, _constants(trees.values()))

    def __call__(self, text):
        """Return a file's text with short names. Comments and lines are lost."""
        tree = _Renamed(self.short).visit(ast.parse(text))
        for node in ast.walk(tree):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
                _rename_arguments(node, self.keywords)
        return ast.unparse(tree) + "\n"


def long_names(files, short, text):
    """Return a console's text with the functions of its tracebacks named as in files: {module: text}, where that is certain."""

    def named(found):
        tree = ast.parse(files.get(found[1], ""))
        names = [name for name in sorted(_identifiers(tree, _FUNCTION_FIELDS)) if short.get(name) == found[2]]
        return f'File "{found[1]}", in {" or ".join(names) or found[2]}'

    return re.sub(r'File "([\w.]+)", in (\w+)', named, text)


class _Renamed(ast.NodeTransformer):
    """Renames every identifier but the modules of imports."""

    def __init__(self, short):
        self._short = short

    def generic_visit(self, node):
        for field in _NAME_FIELDS.get(type(node), ()):
            name = getattr(node, field)
            if isinstance(name, list):
                setattr(node, field, [self._short.get(one, one) for one in name])
            elif name:
                setattr(node, field, self._short.get(name, name))
        return super().generic_visit(node)

    def visit_Import(self, node):
        return node


_FUNCTION_FIELDS = {ast.FunctionDef: ("name",), ast.AsyncFunctionDef: ("name",)}
_BARE_FIELDS = {
    ast.Name: ("id",),
    ast.arg: ("arg",),
    ast.keyword: ("arg",),
    ast.FunctionDef: ("name",),
    ast.AsyncFunctionDef: ("name",),
    ast.ClassDef: ("name",),
    ast.alias: ("name", "asname"),
    ast.Global: ("names",),
    ast.Nonlocal: ("names",),
    ast.ExceptHandler: ("name",),
}
_NAME_FIELDS = _BARE_FIELDS | {ast.Attribute: ("attr",)}


def _identifiers(tree, fields=_NAME_FIELDS):
    """Return every identifier in a tree."""
    found = set()
    for node in ast.walk(tree):
        for field in fields.get(type(node), ()):
            name = getattr(node, field)
            found.update(name if isinstance(name, list) else [name])
    return found - {None}


def _bound(tree):
    """Return the names a file binds that stay in the heap: no local variable does."""
    scopes = [tree, *(node for node in ast.walk(tree) if isinstance(node, ast.ClassDef))]
    names = {name.id for scope in scopes for part in scope.body for name in _stored(part)}
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            names.add(node.name)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            names.add(node.attr)
    return names


def _stored(statement):
    """Yield the variables that a statement of a module or a class binds."""
    if not isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        yield from (node for node in ast.walk(statement) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store))


def _keywords(trees):
    """Return the names that calls give as keywords."""
    return {node.arg for tree in trees for node in ast.walk(tree) if isinstance(node, ast.keyword) and node.arg}


def _texts(trees):
    """Return the words among the constants: keys of JSON, or names that something is looked up by."""
    constants = (node.value for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Constant))
    return {word for word in constants if isinstance(word, str) and word.isidentifier()}


def _exceptions(trees):
    """Return the names of exceptions: a log tells them."""
    classes = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    known = {"Exception", "OSError", "ValueError"}
    for _ in classes:  # as deep as the classes may go
        known |= {node.name for node in classes if any(ast.unparse(base) in known for base in node.bases)}
    return known


def _constants(trees):
    """Return private names that mpy-cross folds away; they cost nothing, but only while they begin with an underscore."""
    assigned = [node for tree in trees for node in tree.body if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call)]
    found = {ast.unparse(node.targets[0]) for node in assigned if ast.unparse(node.value.func) == "const"}
    return {name for name in found if name.startswith("_")}


def _neighbours(trees, own):
    """Return {name: names it can meet}: in one object, in one file's scopes, or anywhere when it is put on another's object."""
    groups = [set().union(*(_bound(trees[path]) for path in paths)) for paths in _families(trees)]
    groups += [_identifiers(tree, _BARE_FIELDS) for tree in trees.values()]
    everywhere = set().union(*map(_put_on_others, trees.values()))
    neighbours = {name: set(own) if name in everywhere else everywhere & own for name in own}
    for group in groups:
        for name in group & own:
            neighbours[name] |= group & own
    return neighbours


def _put_on_others(tree):
    """Return the attributes that a file sets on something else than the self of a method."""
    stored = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)]
    classes = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    own = {id(node) for one in classes for node in ast.walk(one) if isinstance(node, ast.Attribute) and _is_self(node.value)}
    return {node.attr for node in stored if id(node) not in own}


def _is_self(node):
    return isinstance(node, ast.Name) and node.id == "self"


def _families(trees):
    """Return sets of paths whose names can meet in one object: a file alone, or with those it inherits from."""
    classes = {path: [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)] for path, tree in trees.items()}
    home = {node.name: path for path, nodes in classes.items() for node in nodes}
    family = {path: {path} for path in trees}
    for path, nodes in classes.items():
        for base in (ast.unparse(base).rpartition(".")[2] for node in nodes for base in node.bases):
            merged = family[path] | family[home.get(base, path)]
            for member in merged:
                family[member] = merged
    return {frozenset(paths) for paths in family.values()}


def _assign(neighbours, taken, folded):
    """Return {name: short name}, no two the same among neighbours."""
    short = {}
    for name in sorted(neighbours, key=lambda name: (-len(neighbours[name]), name)):
        used = {short[other] for other in neighbours[name] if other in short} | taken
        first = "_" if name in folded else ""
        short[name] = next(word for word in _words(first) if word not in used and not keyword.iskeyword(word))
    return short


def _words(first):
    """Yield a, b, … Z, aa, ab, … with something before each."""
    for length in itertools.count(1):
        yield from (first + "".join(letters) for letters in itertools.product(_LETTERS, repeat=length))


def _rename_arguments(function, keywords):
    """Rename a function's arguments, but those that some call names: MicroPython keeps their names with the function."""
    given = function.args
    arguments = [*given.posonlyargs, *given.args, *filter(None, (given.vararg, given.kwarg))]
    body = function.body if isinstance(function.body, list) else [function.body]
    inside = [node for part in body for node in ast.walk(part)]
    used = {node.id for node in inside if isinstance(node, ast.Name)} | _bound_inside(inside)
    taken = used | {one.arg for one in ast.walk(given) if isinstance(one, ast.arg)}
    free = (letter for letter in _LETTERS if letter not in taken)
    for argument in arguments:
        old = argument.arg
        if old == "self" or len(old) == 1 or old in keywords or old in _bound_inside(inside):
            continue
        argument.arg = next(free)
        for node in inside:
            if isinstance(node, ast.Name) and node.id == old:
                node.id = argument.arg


def _bound_inside(nodes):
    """Return names that something else than an assignment binds or declares within these nodes."""
    names = set()
    for node in nodes:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            names |= {one.arg for one in ast.walk(node.args) if isinstance(one, ast.arg)}
        elif isinstance(node, (ast.Global, ast.Nonlocal)):
            names |= set(node.names)
        elif isinstance(node, ast.ExceptHandler) and node.name:
            names.add(node.name)
        elif isinstance(node, ast.comprehension):
            names |= {one.id for one in ast.walk(node.target) if isinstance(one, ast.Name)}
        elif isinstance(node, ast.alias):
            names.add((node.asname or node.name).split(".")[0])
    return names
