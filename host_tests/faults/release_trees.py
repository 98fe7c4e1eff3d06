"""The trees of files that the upgrade's sweeps know: small stand-ins of releases, by name. Pure; both interpreters.

Each main.py tells that its release ran; that of "crashing" does not get so far.
"""

_BLOCK = 4096


def _main(name, padding):
    return b'import hanma_ran\n\nhanma_ran.release = "%s"\n# ' % name.encode() + b"~" * padding + b"\n"


def _bytes(seed, count):
    """Return bytes that differ with the seed and do not repeat soon."""
    return bytes([(seed * 37 + at * 7 + (at >> 8) * 13) & 255 for at in range(count)])


_APP = _bytes(1, 3900)
_NEW = {
    "main.py": _main("new", 3000),
    "lib/board.mpy": b"new board",
    "lib/terminal/app.mpy": _APP,
    "lib/terminal/gone.mpy": _bytes(2, 300),
    "lib/terminal/empty.mpy": b"",
}
_NEXT = dict(_NEW)
_NEXT.update({"main.py": _main("next", 5000), "lib/terminal/more.mpy": _bytes(3, 700)})
del _NEXT["lib/terminal/gone.mpy"]

TREES = {
    "old": {"main.py": _main("old", 900), "lib/board.mpy": b"old board", "lib/terminal/app.mpy": _APP},
    "new": _NEW,
    "next": _NEXT,
    "crashing": dict(_NEW, **{"main.py": b"raise RuntimeError\n"}),
    "large": dict(_NEW, **{"main.py": _main("large", 9), "lib/terminal/app.mpy": _bytes(4, 45000), "lib/b.mpy": _bytes(5, 70000)}),
}
STALE = {"main.py": b"stale", "lib/old/gone.mpy": _bytes(6, 5000), "bundle": b"of another release", "part": b"half of it"}
