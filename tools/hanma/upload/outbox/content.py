"""A record's body as it is kept: its JSON text with a hole for every picture, and the pictures' base64 beside it.

A picture is turned into base64 once, when it comes in; on the way out pieces are joined and nothing is parsed.
"""

import base64
import binascii
import json
import re

from hanma.upload.record import Attachment

_MARK = "\0"
_HOLE = re.compile(rb'"\\u0000(\d+)\|([^|"]*)\|((?:[^"\\]|\\.)*)"')


def split(body):
    """Return (the body's JSON text with holes, UTF-8; the attachments' base64, in the holes' order).

    Keys keep their order. ValueError for a text that begins with NUL: it could not be told from a hole.
    """
    files = []
    text = json.dumps(_with_holes(body, files), ensure_ascii=False, separators=(",", ":"))
    return text.encode(), files


def _with_holes(value, files):
    if isinstance(value, Attachment):
        files.append(binascii.b2a_base64(value.data, newline=False))
        return f"{_MARK}{len(files) - 1}|{value.media}|{value.name}"
    if isinstance(value, dict):
        return {key: _with_holes(one, files) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_with_holes(one, files) for one in value]
    if isinstance(value, str) and value.startswith(_MARK):
        raise ValueError("a text may not begin with NUL")
    return value


def join(text, files):
    """Return the JSON text as it goes on the wire: every hole filled with its base64, behind its prefix if it has one.

    files: hole's number → base64. KeyError when a picture is gone."""
    pieces, done = [], 0
    for hole in _HOLE.finditer(text):
        media = hole[2]
        pieces += (text[done : hole.start()], b'"', b"data:" + media + b";base64," if media else b"", files[int(hole[1])], b'"')
        done = hole.end()
    pieces.append(text[done:])
    return b"".join(pieces)


def without(text, keys):
    """Return a JSON text with holes without those keys at its top."""
    kept = {key: value for key, value in json.loads(text).items() if key not in keys}
    return json.dumps(kept, ensure_ascii=False, separators=(",", ":")).encode()


def parse(text, files):
    """Return the body as a dict again, its pictures as Attachments; one whose picture is gone has no data."""
    return _filled(json.loads(text), files)


def _filled(value, files):
    if isinstance(value, dict):
        return {key: _filled(one, files) for key, one in value.items()}
    if isinstance(value, list):
        return [_filled(one, files) for one in value]
    if isinstance(value, str) and value.startswith(_MARK):
        number, media, name = value[1:].split("|", 2)
        return Attachment(name, data=base64.b64decode(files.get(int(number), b"")), media=media)
    return value
