"""Gives the firmware's private names short ones before it is compiled: a name costs about 20 bytes of the chip's heap.

State: none. A private name begins with one underscore. Names that meet in no file may share a short one, so a few dozen serve
all; files whose classes inherit from each other count as one. `SOURCE=1` stages the files as they are written.
"""

import io
import keyword
import re
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
