"""TLS of the terminal, on MicroPython, against CPython's ssl over real connections."""

import contextlib
import datetime
import socket
import ssl
import threading

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

pytestmark = pytest.mark.slow  # real processes and sockets: not for `make check`

NAME = "platform.test"
_ETIMEDOUT = 110


class Authority:
    """A certificate with its key that signs others."""

    def __init__(self, name, issuer=None):
        self.certificate, self.key = _sign(name, issuer, is_authority=True, days=(-1000, 1000))

    def issue(self, name=NAME, days=(-1, 30), key=None):
        """A server's (certificate, key)."""
        return _sign(name, self, days=days, key=key)

    def der(self):
        return self.certificate.public_bytes(serialization.Encoding.DER).hex()


def _sign(name, issuer, days, is_authority=False, key=None):
    key = key or ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.timezone.utc)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + datetime.timedelta(days=days[0]))
        .not_valid_after(now + datetime.timedelta(days=days[1]))
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), True)
    )
    if not is_authority:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), False)
    return builder.sign(issuer.key if issuer else key, hashes.SHA256()), key


@pytest.fixture(scope="module")
def authority():
    return Authority("Test authority")


@pytest.fixture(scope="module")
def stranger():
    return Authority("Somebody else")


@contextlib.contextmanager
def listening(handle):
    """Run handle(connection) for each connection to a free port; gives the port."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve():
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            with connection, contextlib.suppress(OSError):
                connection.settimeout(20)
                handle(connection)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield server.getsockname()[1]
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join(20)


@pytest.fixture
def serving(tmp_path):
    """Start a server that echoes with TLS under a certificate; gives its port."""
    with contextlib.ExitStack() as stack:

        def serve(pair, *chain, version=None):
            return stack.enter_context(listening(_echo(_context(tmp_path, pair, chain, version))))

        yield serve


def _context(folder, pair, chain, version):
    certificate, key = pair
    pem = serialization.Encoding.PEM
    file = folder / "chain.pem"
    file.write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + b"".join(each.public_bytes(pem) for each in (certificate, *chain))
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    if version:
        context.minimum_version = version
    return context


def _echo(context):
    def handle(connection):
        with context.wrap_socket(connection, server_side=True) as stream:
            while data := stream.recv(4096):
                stream.sendall(data)

    return handle


@pytest.fixture
def connect(micropython):
    """Connect the terminal to a port; returns what the driver tells."""

    def call(port, authorities, **case):
        case = {"hostname": NAME, "timeout_ms": 10000, "say": 100, "hear": 100, **case}
        return micropython.call("tls", {"port": port, "authorities": authorities, **case})

    return call


@pytest.mark.parametrize("most", [1, 7, 100000])
def test_a_proper_certificate_is_trusted_in_pieces_of_any_size(connect, serving, authority, most):
    result = connect(serving(authority.issue()), authority.der(), most=most)
    assert result["shaken"]
    assert result["heard"] == 100
    assert result["closed"]


def test_much_goes_both_ways_through_small_buffers(connect, serving, authority):
    result = connect(serving(authority.issue()), authority.der(), say=50000, hear=50000)
    assert result["heard"] == 50000


def test_a_chain_over_an_intermediate_authority_is_trusted(connect, serving, authority):
    intermediate = Authority("Intermediate", authority)
    port = serving(intermediate.issue(), intermediate.certificate)
    assert connect(port, authority.der())["heard"] == 100


def test_an_rsa_certificate_is_trusted(connect, serving, authority):
    key = rsa.generate_private_key(65537, 2048)
    assert connect(serving(authority.issue(key=key)), authority.der())["heard"] == 100


def test_another_name_is_refused_as_such(connect, serving, authority):
    result = connect(serving(authority.issue("other.test")), authority.der())
    assert result["untrusted"] == "wrong_name"


def test_an_expired_certificate_is_refused_as_such(connect, serving, authority):
    result = connect(serving(authority.issue(days=(-20, -10))), authority.der())
    assert result["untrusted"] == "expired"


def test_a_certificate_of_the_future_is_refused_as_such(connect, serving, authority):
    result = connect(serving(authority.issue(days=(10, 20))), authority.der())
    assert result["untrusted"] == "not_yet_valid"


def test_a_stranger_with_an_expired_certificate_is_first_of_all_a_stranger(connect, serving, authority, stranger):
    result = connect(serving(stranger.issue(days=(-20, -10))), authority.der())
    assert result["untrusted"] == "unknown_ca"


def test_a_certificate_that_signed_itself_is_refused(connect, serving, authority):
    result = connect(serving(_sign(NAME, None, (-1, 30))), authority.der())
    assert result["untrusted"] == "unknown_ca"


@pytest.mark.parametrize("authorities", ["", b"no certificate".hex()])
def test_without_readable_authorities_nobody_is_trusted(connect, serving, authority, authorities):
    result = connect(serving(authority.issue()), authorities)
    assert result["untrusted"] == "ca_broken"


def test_a_server_that_says_nothing_times_out_while_the_loop_goes_on(connect, authority):
    with listening(lambda connection: connection.recv(100000) and connection.recv(100000)) as port:
        result = connect(port, authority.der(), timeout_ms=200)
    assert result["errno"] == _ETIMEDOUT
    assert result["kept_beating"]


def test_a_server_that_hangs_up_is_no_question_of_trust(connect, authority):
    with listening(lambda connection: connection.recv(100000)) as port:
        result = connect(port, authority.der())
    assert "errno" in result
    assert "shaken" not in result


def test_a_server_without_tls_is_no_question_of_trust(connect, authority):
    with listening(lambda connection: connection.sendall(b"\x20\x02\x00\x05" * 20)) as port:
        result = connect(port, authority.der())
    assert "errno" in result
    assert "shaken" not in result


def test_a_server_of_tls_1_3_alone_is_served_or_left_without_a_question_of_trust(connect, serving, authority):
    result = connect(serving(authority.issue(), version=ssl.TLSVersion.TLSv1_3), authority.der())
    assert result.get("heard") == 100 or "errno" in result


@pytest.mark.parametrize("most", [1, 100000])
def test_a_stranger_is_found_out_in_the_handshake_in_pieces_of_any_size(connect, serving, authority, stranger, most):
    result = connect(serving(authority.issue()), stranger.der(), most=most)
    assert result["untrusted"] == "unknown_ca"
    assert "shaken" not in result


def test_connections_give_their_memory_back(connect, serving, authority):
    result = connect(serving(authority.issue()), authority.der(), times=6)
    assert result["heard"] == 100
    assert result["growth"] <= 256


def test_refused_connections_give_their_memory_back(connect, serving, authority, stranger):
    result = connect(serving(authority.issue()), stranger.der(), times=6)
    assert result["untrusted"] == "unknown_ca"
    assert result["growth"] <= 256
