"""Gives the firmware's private names and arguments short ones before it is compiled: a name costs 20 bytes of heap.

State: none. A private name begins with one underscore. Names that meet in no file may share a short one, so a few dozen serve
all; files whose classes inherit from each other count as one. `SOURCE=1` stages the files as they are written.
"""

import ast
import io
import keyword
import re
import string
import tokenize

_PRIVATE = re.compile(r"\b_[A-Za-z][A-Za-z0-9_]*\b")
_FOREIGN = ("_io_queue",)  # asyncio.core's
_CLASS = re.compile(r"^class (\w+)(?:\((.*?)\))?:", re.MULTILINE)
_DIGITS = "abcdefghijklmnopqrstuvwxyz0123456789"
_FSTRING = re.compile(r"^[rRbB]?[fF][rRbB]?['\"]")


def names_in(text):
    """Return the set of private names in a source file's text."""
    return {name for _, name in _places(text)} - set(_FOREIGN)


def short_names(files):
    """Return {private name: short name} for files: {path: text}. The same files give the same names."""
    used = {path: names_in(text) for path, text in files.items()}
    groups = [set().union(*(used[path] for path in paths)) for paths in _families(files)]
    neighbours = {}
    for group in groups:
        for name in group:
            neighbours.setdefault(name, set()).update(group)
    short = {}
    for name in sorted(neighbours, key=lambda name: (-len(neighbours[name]), name)):
        taken = {short[other] for other in neighbours[name] if other in short}
        short[name] = next(word for word in _words() if word not in taken)
    return short


def shortened(text, short):
    """Return a file's text with its private names replaced, line by line as it was."""
    lines = text.splitlines(keepends=True)
    for (row, column), name in sorted(_places(text), reverse=True):
        line = lines[row - 1]
        lines[row - 1] = line[:column] + short.get(name, name) + line[column + len(name) :]
    return "".join(lines)


def _places(text):
    """Yield ((row, column), name) of each private name; in f-strings too, which older Pythons do not take apart."""
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.NAME and _PRIVATE.fullmatch(token.string):
            yield token.start, token.string
        elif token.type == tokenize.STRING and _FSTRING.match(token.string):
            for found in _PRIVATE.finditer(token.string):
                before = token.string[: found.start()]
                row = token.start[0] + before.count("\n")
                column = len(before.rpartition("\n")[2]) + (token.start[1] if row == token.start[0] else 0)
                yield (row, column), found.group()


def _families(files):
    """Return sets of paths whose private names can meet in one object: a file alone, or with those it inherits from."""
    home = {name: path for path, text in files.items() for name, _ in _CLASS.findall(text)}
    family = {path: {path} for path in files}
    for path, text in files.items():
        for _, bases in _CLASS.findall(text):
            for base in re.findall(r"\w+", bases):
                if home.get(base, path) != path:
                    merged = family[path] | family[home[base]]
                    for member in merged:
                        family[member] = merged
    return [set(paths) for paths in {frozenset(paths) for paths in family.values()}]


def _words():
    """Yield _a, _b, … _9, _aa, …"""
    ends = [""]
    while True:
        ends = [end + digit for end in ends for digit in _DIGITS]
        yield from ("_" + end for end in ends if not keyword.iskeyword("_" + end))


def keywords_in(text):
    """Return the names that a file's calls give as keywords: arguments so named must keep their names."""
    return {node.arg for node in ast.walk(ast.parse(text)) if isinstance(node, ast.keyword) and node.arg}


def with_short_arguments(text, keywords):
    """Return a file's text with the arguments of its functions renamed, but for those that some call names.

    MicroPython keeps an argument's name with the function; a dozen letters serve them all. Comments and lines are lost.
    """
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            _rename_arguments(node, keywords)
    return ast.unparse(tree) + "\n"


def _rename_arguments(function, keywords):
    given = function.args
    arguments = [*given.posonlyargs, *given.args, *filter(None, (given.vararg, given.kwarg))]
    body = function.body if isinstance(function.body, list) else [function.body]
    inside = [node for part in body for node in ast.walk(part)]
    used = {node.id for node in inside if isinstance(node, ast.Name)} | _bound_inside(inside)
    taken = used | {one.arg for one in ast.walk(given) if isinstance(one, ast.arg)}
    free = (letter for letter in string.ascii_letters if letter not in taken)
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
