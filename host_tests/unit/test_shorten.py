"""Short names: what runs is the same program, and no name that somebody else gives is touched."""

import ast
import pathlib

from typer.testing import CliRunner

from hanma import cli, shorten, toolchain
from hanma import stage as staging
from host_tests.unit import port_script

PORT = pathlib.Path(__file__).parents[1] / "port"

ROOM = '''
"""A room."""
import json
from micropython import const
from other import Base, helper, made

_STEP = const(3)

class Counter(Base):
    """Counts."""

    def __init__(self, start_value):
        super().__init__()
        self.total_count = start_value
        self._private = made

    def advance_by(self, how_many, *, scale=1):
        self.total_count += how_many * scale * _STEP
        return f"{self.total_count} of {self.base_value}"

class CounterError(Exception):
    pass

def told(counter):
    return json.dumps({"total_count": 1}), helper(counter).advance_by(2, scale=5), [total for total in (1, 2)]
'''
OTHER = """
class Base:
    def __init__(self):
        self.base_value = 7

def helper(something):
    something.visited_by = 1
    return something

made = 9
"""


def _short(**files):
    return shorten.Shortener({f"lib/{name}.py": text for name, text in files.items()})


def test_what_only_we_name_is_short_and_what_others_name_is_not():
    short = _short(room=ROOM, other=OTHER)
    text = short(ROOM)
    for gone in ("Counter(", "advance_by", "_private", "start_value", "how_many", "helper", "base_value", "told"):
        assert gone not in text
    for kept in ("scale", "json", "dumps", "CounterError", "'total_count'", "self.total_count", "__init__", "const"):
        assert kept in text


def test_names_that_meet_in_an_object_or_a_scope_stay_apart():
    names = _short(room=ROOM, other=OTHER).short
    in_object = [names[name] for name in ("_private", "advance_by", "base_value", "visited_by")]
    in_scope = [names[name] for name in ("Counter", "Base", "helper", "made", "told", "_STEP")]
    assert len(set(in_object)) == len(in_object)
    assert len(set(in_scope)) == len(in_scope)


def test_what_a_function_of_another_file_puts_on_an_object_meets_no_name_of_its_class():
    room = "class Room:\n    def open_door(self):\n        self.is_open = True\n"
    filler = "def fill(self, thing):\n    self.first_part = 1\n    thing.second_part = 2\n"
    names = _short(room=room, filler=filler).short
    on_room = [names[name] for name in ("open_door", "is_open", "first_part", "second_part")]
    assert len(set(on_room)) == 4


def test_a_constant_that_the_compiler_folds_keeps_its_underscore_and_a_public_one_has_none():
    names = _short(room="from micropython import const\n_FOLDED = const(1)\nSHARED = const(2)\n").short
    assert names["_FOLDED"].startswith("_")
    assert not names["SHARED"].startswith("_")


def test_the_same_files_give_the_same_names_in_any_order():
    files = {"lib/room.py": ROOM, "lib/other.py": OTHER}
    assert shorten.Shortener(files).short == shorten.Shortener(dict(reversed(files.items()))).short


def test_the_short_program_does_what_the_long_one_does(tmp_path, each_micropython):
    short = _short(room=ROOM, other=OTHER)
    answers = []
    for directory, texts in (("long", (ROOM, OTHER)), ("short", (short(ROOM), short(OTHER)))):
        place = tmp_path / directory
        place.mkdir()
        (place / "room.py").write_text(texts[0])
        (place / "other.py").write_text(texts[1])
        names = short.short if directory == "short" else {}
        told, counter = names.get("told", "told"), names.get("Counter", "Counter")
        code = f"sys.path.insert(0, {str(place)!r})\nimport room\nprint(json.dumps(room.{told}(room.{counter}(4))))"
        answers.append(port_script.run(each_micropython, None, code))
    assert answers[0] == answers[1] == ['{"total_count": 1}', "34 of 7", [1, 2]]


def _names_of_micropython(micropython):
    """Return what a MicroPython names: in its modules, their classes, and the types of its values."""
    return port_script.run(
        micropython,
        None,
        '''
seen = set()
names = """
array asyncio asyncio.core asyncio.event asyncio.lock asyncio.stream binascii builtins collections cryptolib
deflate errno gc hashlib heapq io json machine math micropython os platform random re requests select socket
ssl struct sys time tls vfs
"""
for name in names.split():
    try:
        module = __import__(name, None, None, ("*",))
    except ImportError:
        continue
    for attribute in dir(module):
        seen.add(attribute)
        seen.update(dir(getattr(module, attribute)))
def generator():
    yield
for value in ("", b"", [], {}, (), set(), frozenset(), 1, 1.0, bytearray(1), memoryview(b""), generator(), Exception()):
    seen.update(dir(value))
print(json.dumps(list(seen)))''',
    )


def _public(tree):
    arguments = {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    return {name for name in shorten._bound(tree) | arguments if not name.startswith("_")}


def test_no_name_of_micropython_its_chip_or_its_libraries_is_shortened(each_micropython):
    """A name that the firmware binds and others know too must be listed in FOREIGN, or the staged tree calls what is not there."""
    theirs = {name for name in _names_of_micropython(each_micropython) if not name.startswith("_")}
    for path in [*PORT.glob("*.py"), *toolchain.umqtt_simple().rglob("*.py")]:
        theirs |= _public(ast.parse(path.read_text(encoding="utf-8")))
    assert {"readinto", "get_blob", "set_last_will", "getaddrinfo"} <= theirs
    assert sorted(theirs & set(staging.shortener().short)) == []


def test_a_traceback_gets_its_functions_names_back():
    short = staging.shortener().short["attach"]
    text = f'Traceback:\n  File "guard", in {short}\n  File "asyncio/core.py", in run_until_complete\nValueError: 1\n'
    done = CliRunner().invoke(cli.app, ["names", "-"], input=text)
    assert done.exit_code == 0, done.output
    assert done.output == text.replace(f"in {short}\n", "in attach\n")
