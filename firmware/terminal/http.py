"""The little of HTTP/1.1 that a download in ranges needs: addresses, the request, the head of its answer. Pure; borrowed.

Sources: RFC 9110 (ranges: 14), RFC 9112 (messages). Offsets and sizes are bytes.
"""

from micropython import const

HEAD_MOST_B = const(2048)
_HTTPS = const(443)
_PORT_MAX = const(65535)
_REQUEST = "GET %s HTTP/1.1\r\nHost: %s\r\nRange: bytes=%d-%d\r\nAccept-Encoding: identity\r\nConnection: close\r\n"
_OK = const(200)
_PARTIAL = const(206)
# Answers by which the server says that it will not give this, now or ever; anything else may pass.
_NEVER = (400, 401, 403, 404, 410, 416)


class HttpError(Exception):
    """The server's answer is of no use; args[0]: `address`, `answer` (may pass), `denied` (will not pass)."""


def split_url(url):
    """Return (host, port, path with query) of an https address. Raises HttpError (address)."""
    if not isinstance(url, str) or url[:8].lower() != "https://":
        raise HttpError("address")
    for letter in url:
        if not "!" <= letter <= "~":
            raise HttpError("address")
    place, slash, path = url[8:].partition("/")
    host, _, port = place.partition(":")
    if not host or "@" in place or "#" in path or port and not port.isdigit() or not 0 < int(port or _HTTPS) <= _PORT_MAX:
        raise HttpError("address")
    return host, int(port or _HTTPS), "/" + path


def is_address(host):
    """Return whether a host is an IPv4 address: no certificate's name stands behind it."""
    return host.replace(".", "").isdigit()


def ask_for(url, begin, end, token=None):
    """Return the bytes that ask for bytes begin to end - 1. token: of its own order, text or None. Raises HttpError (address)."""
    host, port, path = split_url(url)
    text = _REQUEST % (path, host if port == _HTTPS else "%s:%d" % (host, port), begin, end - 1)
    if token:
        text += "Authorization: Bearer %s\r\nContent-Type: application/json\r\n" % token
    return (text + "\r\n").encode()


def read_head(data, begin):
    """Return (bytes of the head, offset of the body's first byte, size of the whole or None) of an answer to ask_for().

    None while the head is not all there. A server that knows no ranges sends the whole: its offset is 0. Raises HttpError: no
    redirects, no chunks, no compression, no other range than the one asked for.
    """
    end = data.find(b"\r\n\r\n")
    if end < 0:
        if len(data) >= HEAD_MOST_B:
            raise HttpError("answer")
        return None
    lines = bytes(data[:end]).split(b"\r\n")
    status = lines[0].split(b" ")
    if status[0] not in (b"HTTP/1.1", b"HTTP/1.0") or len(status) < 2 or not status[1].isdigit():
        raise HttpError("answer")
    code = int(status[1])
    if code in _NEVER:
        raise HttpError("denied")
    fields = _fields(lines[1:])
    if code == _PARTIAL:
        first, total = _span(fields.get(b"content-range", b""))
        if first == begin:
            return end + 4, first, total
    elif code == _OK:
        return end + 4, 0, _number(fields[b"content-length"]) if b"content-length" in fields else None
    raise HttpError("answer")


def _fields(lines):
    """Return the header fields that matter, by their names in small letters, bytes."""
    fields = {}
    for line in lines:
        name, _, value = line.partition(b":")
        fields[name.lower()] = value.strip()
    if b"transfer-encoding" in fields or fields.get(b"content-encoding", b"identity") != b"identity":
        raise HttpError("answer")
    return fields


def _span(value):
    """Return (first byte, size of the whole) of a Content-Range."""
    unit, _, rest = value.partition(b" ")
    span, slash, total = rest.partition(b"/")
    first, dash, last = span.partition(b"-")
    if unit != b"bytes" or not dash or not slash:
        raise HttpError("answer")
    _number(last)
    return _number(first), _number(total)


def _number(value):
    if not value.isdigit() or len(value) > 9:
        raise HttpError("answer")
    return int(value)
