"""The firmware keeps the rules that no compiler checks; and the check finds what breaks them."""

import ast

import pytest

from host_tests.unit import firmware_rules
from host_tests.unit.replay import FIRMWARE

_FILES = sorted(path.relative_to(FIRMWARE).as_posix() for path in FIRMWARE.rglob("*.py"))

# Parsers and state machines: bytes, facts and times in, decisions out. They reach for nothing else.
_PURE = (
    "terminal/bundle.py",
    "terminal/interlock.py",
    "terminal/protocol.py",
    "terminal/reports.py",
    "terminal/profiles/__init__.py",
    "terminal/profiles/plain.py",
    "terminal/profiles/iotda.py",
    "modem/at.py",
)
_PURE_IMPORTS = {"micropython", "json", "struct", "binascii", "hashlib", "collections"}


@pytest.mark.parametrize("path", _FILES)
def test_the_firmware_keeps_the_rules(path):
    assert firmware_rules.violations(path, (FIRMWARE / path).read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = 1 / 2", "division"),
        ("x = 4\nx /= 2", "division"),
        ("x = 0.5", "a float"),
        ("x = 1e3", "a float"),
        ("x = 2j", "a float"),
        ("x = float('1')", "float()"),
        ("x = map(float, y)", "float()"),
        ("try:\n    f()\nexcept:\n    g()", "bare except"),
        ("try:\n    f()\nexcept Exception:\n    pass", "swallowed"),
        ("try:\n    f()\nexcept (OSError, Exception) as error:\n    pass", "swallowed"),
        ("assert x", "assert"),
        ("import sys\nif sys.platform == 'linux': pass", "asks what it runs on"),
        ("import sys\nx = sys.implementation.name", "asks what it runs on"),
        ("import os\nx = os.uname()", "asks what it runs on"),
        ("from sys import platform", "asks what it runs on"),
        ("import platform", "asks what it runs on"),
        ("import typing", "does not have"),
        ("from dataclasses import dataclass", "does not have"),
        ("import hanma_port", "does not have"),
        ("from terminal import app", "must not know the terminal"),
        ("match x:\n    case 1: pass", "Match"),
        ("x: int = 1", "AnnAssign"),
        ("import time\nif time.ticks_ms() > end: pass", "compared"),
        ("import time\ndef f():\n    end = time.ticks_add(time.ticks_ms(), 5)\n    return now < end", "compared"),
        ("from time import ticks_ms\nx = ticks_ms() - start", "subtracted"),
        ("import time\ndef f(start):\n    now = time.ticks_ms()\n    return now - start", "subtracted"),
        (
            "import time\nclass C:\n    def a(self):\n        self._at = time.ticks_ms()\n"
            "    def b(self, now):\n        return now >= self._at",
            "compared",
        ),
        ("class C:\n    def a(self):\n        return self._ticks_ms() + 5", "added"),
        ("print('x')", "print"),
        ("def f():\n    print('x')", "print"),
        ("def f():\n" + "    x = 1\n" * 40, "41 lines"),
    ],
)
def test_what_breaks_a_rule_is_found(text, said):
    found = firmware_rules.violations("modem/sample.py", text)
    assert any(said in sentence for sentence in found), found


@pytest.mark.parametrize(
    "text",
    [
        "x = 7 // 2",
        "x = 'a / b, 0.5'",
        "x = 2 * 3 - 1",
        "try:\n    f()\nexcept OSError:\n    pass",
        "try:\n    f()\nexcept Exception as error:\n    report(error)",
        "import time\ndef f(start):\n    return time.ticks_diff(time.ticks_ms(), start) > 500",
        "import time\ndef f(start):\n    now = time.ticks_ms()\n    return now == start",
        "def log(text):\n    print(text)",
        "def f():\n" + "    x = 1\n" * 39,
        "from modem import at",
    ],
)
def test_what_keeps_the_rules_is_let_pass(text):
    assert firmware_rules.violations("modem/sample.py", text) == []


def test_floats_are_let_pass_only_in_the_offsets_functions():
    allowed = "def gcj02_offset(x):\n    return 0.1 * x / 2\n"
    assert firmware_rules.violations("terminal/gcj02.py", allowed) == []
    assert firmware_rules.violations("terminal/gcj02.py", "def other(x):\n    return 0.1 * x\n")
    assert firmware_rules.violations("terminal/position.py", allowed)


def test_the_functions_that_may_use_floats_exist_and_do():
    for path, names in firmware_rules.FLOATS_ALLOWED.items():
        tree = ast.parse((FIRMWARE / path).read_text(encoding="utf-8"))
        functions = {node.name: node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
        for name in names:
            assert any(isinstance(node, ast.Div) for node in ast.walk(functions[name])), name


@pytest.mark.parametrize("path", _PURE)
def test_a_pure_part_reaches_for_no_device_no_clock_and_no_socket(path):
    tree = ast.parse((FIRMWARE / path).read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules = {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            modules = {node.module}
        else:
            continue
        foreign = {name for name in modules - _PURE_IMPORTS if not name.startswith(("terminal", "modem"))}
        assert not foreign, f"line {node.lineno}: {foreign}"
