"""TLS peers that mean harm, over real connections: each handshake ends in its time, the loop stays free, the heap as it was."""

import contextlib
import itertools
import socket
import ssl
import threading

import pytest

from host_tests.unit.test_tls import NAME, Authority, listening

pytestmark = pytest.mark.slow  # real processes and sockets: not for `make check`

_ETIMEDOUT = 110
_PATIENCE_MS = 300
HELLO_REQUEST = b"\x16\x03\x03\x00\x04\x00\x00\x00\x00"
WARNING = b"\x15\x03\x03\x00\x02\x01\x5a"
FATAL = b"\x15\x03\x03\x00\x02\x02\x28"


@pytest.fixture(scope="module")
def authority():
    return Authority("Test authority")


@pytest.fixture(scope="module")
def server_context(authority, tmp_path_factory):
    """What an honest server has."""
    from cryptography.hazmat.primitives import serialization

    certificate, key = authority.issue()
    pem = serialization.Encoding.PEM
    file = tmp_path_factory.mktemp("tls") / "chain.pem"
    file.write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()) + certificate.public_bytes(pem)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    return context


@pytest.fixture
def connect(micropython, authority):
    """Connect the terminal to a port; returns what the driver tells."""

    def call(port, replay=micropython, **case):
        case = {"hostname": NAME, "timeout_ms": _PATIENCE_MS, "say": 100, "hear": 100, **case}
        return replay.call("tls", {"port": port, "authorities": authority.der(), **case})

    return call


def says(*pieces, pause_s=0.0, hangs_up=False):
    """Return a server that says these pieces once it was spoken to, then waits for the client to go, or hangs up."""

    def handle(connection):
        connection.recv(4096)
        gone = threading.Event()
        for piece in pieces:
            connection.sendall(piece)
            if pause_s and gone.wait(pause_s):
                return
        if not hangs_up:
            while connection.recv(4096):
                pass

    return handle


GARBAGE = {
    "HTTP": [b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n<html></html>"],
    "zeros": [bytes(3000)],
    "noise": [bytes((n * 151 + n // 7) & 255 for n in range(3000))],
    "MQTT": [b"\x20\x02\x00\x00"],
    "SSH": [b"SSH-2.0-OpenSSH_9.0\r\n"],
    "a record of 64 KiB": [b"\x16\x03\x03\xff\xff" + bytes(3000)],
    "an empty record": [b"\x16\x03\x03\x00\x00" * 50],
    "data at once": [b"\x17\x03\x03\x00\x20" + bytes(32)],
    "a finish at once": [b"\x14\x03\x03\x00\x01\x01" + b"\x16\x03\x03\x00\x10" + bytes(16)],
    "a fatal alert": [FATAL],
    "a hello that lies": [b"\x16\x03\x03\x00\x2a\x02\x00\xff\xff" + bytes(38)],
}


@pytest.mark.parametrize("pieces", GARBAGE.values(), ids=GARBAGE)
@pytest.mark.parametrize("hangs_up", [False, True])
def test_garbage_is_no_peer_and_no_question_of_trust(connect, pieces, hangs_up):
    with listening(says(*pieces, hangs_up=hangs_up)) as port:
        result = connect(port)
    assert "errno" in result and "shaken" not in result and "untrusted" not in result


ENDLESS = {
    "hello requests": HELLO_REQUEST,
    "warnings": WARNING,
    "one record, byte by byte": b"\x16",
    "a long record, slowly": b"\x16\x03\x03\x3f\x00" + b"\x02" * 10,
}


@pytest.mark.parametrize("piece", ENDLESS.values(), ids=ENDLESS)
def test_a_handshake_that_never_ends_is_given_up_in_its_time_with_the_loop_free(connect, piece):
    with listening(says(*itertools.repeat(piece, 400), pause_s=0.01)) as port:
        result = connect(port)
    assert "errno" in result and "shaken" not in result
    if result["errno"] == _ETIMEDOUT:
        assert result["kept_beating"]


def test_a_flood_of_warnings_is_given_up_too(connect):
    with listening(says(*[WARNING * 100] * 500)) as port:
        result = connect(port)
    assert "errno" in result and "shaken" not in result


@contextlib.contextmanager
def cutting(context, count):
    """Run an honest server behind a wire that is cut after so many bytes towards the client; gives the port."""

    def handle(connection):
        inner, outer = socket.socketpair()
        with inner, outer:
            thread = threading.Thread(target=_serve, args=(context, inner))
            thread.start()
            back = threading.Thread(target=_copy, args=(connection, outer))
            back.start()
            left = count
            with contextlib.suppress(OSError):
                while left > 0:
                    data = outer.recv(min(4096, left))
                    if not data:
                        break
                    connection.sendall(data)
                    left -= len(data)
            for end in (connection, outer, inner):
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
            thread.join(10)
            back.join(10)

    with listening(handle) as port:
        yield port


def _serve(context, end):
    with contextlib.suppress(OSError), context.wrap_socket(end, server_side=True) as stream:
        while data := stream.recv(4096):
            stream.sendall(data)


def _copy(source, target):
    with contextlib.suppress(OSError):
        while data := source.recv(4096):
            target.sendall(data)


@pytest.mark.parametrize("count", [1, 4, 5, 6, 40, 90, 300, 600, 800])
def test_a_wire_that_is_cut_in_the_handshake_is_no_question_of_trust(connect, server_context, count):
    with cutting(server_context, count) as port:
        result = connect(port, timeout_ms=5000)
    assert "untrusted" not in result
    assert "errno" in result or result.get("heard") != 100


def test_a_wire_that_is_cut_in_the_data_is_an_end_or_an_error_of_the_link(connect, server_context):
    with cutting(server_context, 3000) as port:
        result = connect(port, timeout_ms=5000, say=20000, hear=20000)
    assert result.get("shaken") and "untrusted" not in result
    assert "errno" in result or result["heard"] < 20000


@pytest.mark.parametrize("name", ["HTTP", "noise", "a fatal alert"])
def test_hostile_peers_leave_nothing_on_the_heap_of_the_small_port(connect, small_micropython, name):
    with listening(says(*GARBAGE[name])) as port:
        result = connect(port, replay=small_micropython, times=6)
    assert result["growth"] <= 64
