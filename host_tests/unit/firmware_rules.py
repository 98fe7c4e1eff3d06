"""Reads the firmware's sources and finds what must not be there: floats, blind errors, questions about the host.

Pure: `violations(path, text)` gives sentences. What a rule is for stands beside it.
"""

import ast

# The one place that reckons in floats: the offset between two coordinate systems, a few hundred metres.
FLOATS_ALLOWED = {"terminal/gcj02.py": {"gcj02_offset", "gcj02_north", "gcj02_east"}}
# The one place that writes to the console, but for tracebacks (sys.print_exception).
PRINT_ALLOWED = {"log", "_log"}

_MISSING_ON_DEVICE = {"typing", "dataclasses", "enum", "abc", "functools", "itertools", "pathlib", "threading"}
_MODULES = {
    "asyncio", "binascii", "board", "collections", "esp32", "gc", "hashlib", "io", "json", "machine", "math",
    "micropython", "modem", "os", "random", "re", "select", "ssl", "struct", "sys", "terminal", "time", "tls",
    "umqtt",
}  # fmt: skip
# Which MicroPython a release fits is asked there, not which port.
ASKING_ALLOWED = {("terminal/download.py", "sys", "implementation")}
_ASKING = {("sys", "platform"), ("sys", "implementation"), ("os", "uname"), ("sys", "maxsize")}
_TICKS = {"ticks_ms", "ticks_us", "ticks_cpu", "ticks_add"}
_ORDER = (ast.Lt, ast.LtE, ast.Gt, ast.GtE)
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
FUNCTION_LINES_MOST = 40


def violations(path, text):
    """Return what breaks a rule in one file of the firmware; path as it stands under firmware/."""
    checker = _Checker(path)
    checker.visit(ast.parse(text))
    return checker.found


class _Checker(ast.NodeVisitor):
    """Walks one file and remembers in which functions it is."""

    def __init__(self, path):
        self.path = path
        self.found = []
        self._functions = []  # names, outermost first
        self._ticks = [set()]  # what holds ticks, innermost scope last

    def _say(self, node, text):
        self.found.append(f"{self.path}:{node.lineno}: {text}")

    def generic_visit(self, node):
        for kinds, check in _CHECKS:
            if isinstance(node, kinds):
                check(self, node)
        super().generic_visit(node)

    def visit_ClassDef(self, node):
        self._ticks.append(set(_holders(node)))
        self.generic_visit(node)
        self._ticks.pop()

    def visit_FunctionDef(self, node):
        self._functions.append(node.name)
        self._ticks.append(set(_holders(node)))
        self.generic_visit(node)
        self._ticks.pop()
        self._functions.pop()

    visit_AsyncFunctionDef = visit_FunctionDef

    # single precision has 24 bits: a time or a coordinate comes back wrong

    def floats(self, node):
        if FLOATS_ALLOWED.get(self.path, set()) & set(self._functions):
            return
        if isinstance(node, ast.Constant) and isinstance(node.value, (float, complex)):
            self._say(node, f"a float: {node.value}")
        elif isinstance(node, ast.Name) and node.id == "float":
            self._say(node, "float()")
        elif isinstance(getattr(node, "op", None), ast.Div):
            self._say(node, "a division with / gives a float: use //")

    # an error that is swallowed is a terminal that is silently wrong

    def handler(self, node):
        if node.type is None:
            self._say(node, "a bare except")
        broad = {"Exception", "BaseException"} & {ast.unparse(kind) for kind in _members(node.type)}
        if broad and all(isinstance(line, ast.Pass) for line in node.body):
            self._say(node, f"every {broad.pop()} is swallowed")

    def assertion(self, node):
        self._say(node, "an assert: it is gone from what is flashed")

    # the host is an impostor: the firmware must not know it

    def asking(self, node):
        asked = (getattr(node.value, "id", None), node.attr)
        if asked in _ASKING and (self.path, *asked) not in ASKING_ALLOWED:
            self._say(node, f"asks what it runs on: {node.value.id}.{node.attr}")

    def imports(self, node):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or "."]
        for name in {name.partition(".")[0] for name in names}:
            if name == "platform":
                self._say(node, "asks what it runs on: platform")
            elif name in _MISSING_ON_DEVICE or name not in _MODULES:
                self._say(node, f"imports {name}, which the device does not have")
            elif name == "terminal" and self.path.startswith("modem/"):
                self._say(node, "the modem must not know the terminal")
        asked = {(node.module, alias.name) for alias in node.names} if isinstance(node, ast.ImportFrom) else set()
        for module, name in sorted(asked & _ASKING):
            self._say(node, f"asks what it runs on: {module}.{name}")

    def syntax(self, node):
        self._say(node, f"{type(node).__name__}: not on MicroPython")

    # ticks wrap at 2^30: later can be the smaller number

    def order(self, node):
        sides = [node.left, *node.comparators]
        if any(isinstance(operator, _ORDER) for operator in node.ops) and any(map(self._is_ticks, sides)):
            self._say(node, "ticks are compared: use ticks_diff")

    def arithmetic(self, node):
        if isinstance(node.op, (ast.Add, ast.Sub)) and (self._is_ticks(node.left) or self._is_ticks(node.right)):
            self._say(node, "ticks are added or subtracted: use ticks_add, ticks_diff")

    def _is_ticks(self, node):
        return _gives_ticks(node) or any(_name_of(node) in scope for scope in self._ticks)

    # what is printed goes through one place

    def printing(self, node):
        if isinstance(node.func, ast.Name) and node.func.id == "print" and not PRINT_ALLOWED & set(self._functions):
            self._say(node, "print outside a log function")

    def length(self, node):
        lines = node.end_lineno - node.lineno + 1
        if lines > FUNCTION_LINES_MOST:
            self._say(node, f"{node.name} has {lines} lines")


_CHECKS = (
    ((ast.Constant, ast.Name, ast.BinOp, ast.AugAssign), _Checker.floats),
    (ast.ExceptHandler, _Checker.handler),
    (ast.Assert, _Checker.assertion),
    (ast.Attribute, _Checker.asking),
    ((ast.Import, ast.ImportFrom), _Checker.imports),
    ((ast.Match, ast.AnnAssign), _Checker.syntax),
    (ast.Compare, _Checker.order),
    (ast.BinOp, _Checker.arithmetic),
    (ast.Call, _Checker.printing),
    (_FUNCTIONS, _Checker.length),
)


def _members(node):
    return node.elts if isinstance(node, ast.Tuple) else [node] if node else []


def _name_of(node):
    """Return "x" or "self.x" for a name or an attribute of self, else None."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self":
        return "self." + node.attr
    return None


def _gives_ticks(node):
    """Return whether an expression is a call that gives ticks, also of a function handed over under that name."""
    if not isinstance(node, ast.Call):
        return False
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    return name.lstrip("_") in _TICKS


def _holders(scope):
    """Yield the names in a scope that are given ticks: in a class its attributes, in a function its variables."""
    for node in ast.walk(scope):
        if isinstance(node, ast.Assign) and _gives_ticks(node.value):
            for target in node.targets:
                name = _name_of(target)
                if name and name.startswith("self.") == isinstance(scope, ast.ClassDef):
                    yield name
