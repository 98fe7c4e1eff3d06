"""One range of a file over the modem, by HTTPS: connection, request, body. Borrowed for each range.

The stream is verified before a byte of the request leaves; nothing is redirected. The stock `requests` is not used: it reads
lines without a bound and blocks while it does. Each wait for the network is bounded, and so is the whole. Times in ms.
"""

import hashlib
import time
from binascii import unhexlify

from micropython import const
from tls import CERT_OPTIONAL, PROTOCOL_TLS_CLIENT, SSLContext

from modem.at import ModemError
from terminal import http
from terminal.borrow import borrow
from terminal.tls import Untrusted

_CONNECT_MS = const(45000)
_TLS_MS = const(30000)
_READ_MS = const(5000)  # the longest silence
_RANGE_MS = const(300000)  # the longest for one range, however it drips in
_BUFFER_B = const(512)


class Cut(Exception):
    """The range ended early, or did not begin; args[0] says how. It may be had another time."""


async def pull(modem, config, url, token, begin, end, take):
    """Fetch bytes begin to end - 1 of the file at url and hand them to take(view) as they come; return its size or None.

    No authority vouches for a host without a name: its certificate is the one with config.ota_fingerprint, or any where
    config.signature_only lets it be asked all the same. take may raise, and ends the transfer so; it returns True to end it early.
    Raises Cut, `http.HttpError`, `tls.Untrusted`.
    """
    host, port, _ = http.split_url(url)
    if http.is_address(host) and not config.ota_fingerprint and not config.signature_only:
        raise http.HttpError("address")
    sock = stream = None
    try:
        sock = await modem.connect(host, port, timeout_ms=_CONNECT_MS)
        stream = await _secure(sock, host, config)
        await stream.write(http.ask_for(url, begin, end, token))
        return await _receive(stream, begin, end, take)
    except (ModemError, OSError) as error:
        raise Cut(str(error)) from None
    finally:
        await _close(modem, sock, stream)


async def _secure(sock, host, config):
    """Return the socket's Tls, the server verified as its host and the settings want it."""
    wrap = borrow("tls_open").wrap
    if not http.is_address(host):
        with open(config.ca_file, "rb") as file:
            authorities = file.read()
        return await wrap(sock, host, authorities, _TLS_MS)
    if not config.ota_fingerprint:
        return await wrap(sock, host, None, _TLS_MS)
    shown = []
    stream = await wrap(sock, host, None, _TLS_MS, _showing(shown))
    if shown != [unhexlify(config.ota_fingerprint)]:
        stream.free()
        raise Untrusted("wrong_fingerprint")
    return stream


def _showing(shown):
    """Return a way to put mbedTLS onto a stream by which the SHA-256 of the server's own certificate gets into the list shown.

    The module `ssl` hands no callback on to mbedTLS, which calls it only where a certificate is asked for.
    """

    def look(certificate, depth):
        if not depth:
            shown.append(hashlib.sha256(certificate).digest())
        return 0

    def secure(stream, host):
        context = SSLContext(PROTOCOL_TLS_CLIENT)
        context.verify_mode = CERT_OPTIONAL
        context.verify_callback = look
        return context.wrap_socket(stream, server_hostname=host, do_handshake_on_connect=False)

    return secure


async def _receive(stream, begin, end, take):
    until = time.ticks_add(time.ticks_ms(), _RANGE_MS)
    buffer = bytearray(_BUFFER_B)
    head = b""
    answer = None
    while not answer:
        count = await _read(stream, buffer, until)
        head += buffer[:count]
        answer = http.read_head(head, begin)
    body_at, at, size = answer
    chunk = memoryview(head)[body_at:]
    head = None
    while True:
        if at + len(chunk) > end:
            chunk = chunk[: end - at]
        if at + len(chunk) > begin and take(chunk[max(0, begin - at) :]):
            return size
        at += len(chunk)
        if at >= end or at == size:
            return size
        count = await _read(stream, buffer, until)
        chunk = memoryview(buffer)[:count]


async def _read(stream, buffer, until):
    if time.ticks_diff(until, time.ticks_ms()) <= 0:
        raise Cut("slow")
    count = await stream.readinto(buffer, _READ_MS)
    if not count:
        raise Cut("ended")
    return count


async def _close(modem, sock, stream):
    """Close the connection and give its receive ring back."""
    if not sock:
        return
    try:
        await (stream or sock).close()
    except (OSError, ModemError):
        pass  # it is closed all the same
    if sock.link:
        modem.sockets.rings[sock.link] = None
