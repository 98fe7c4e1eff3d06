"""MicroPython's `ssl` on the host, made from `tls`: nothing verifies while the terminal's clock is not set.

On the chip a clock still in 2000 makes every certificate "not yet valid": ValueError from the handshake. Here
mbedTLS looks at the host's clock, so the stand-in looks at the terminal's own before it. The chip's mbedTLS
reads PEM, not every host's build does: authorities are handed on as DER.
"""

import binascii
import time

import tls
from tls import *  # noqa: F403

_SET_YEAR = 2024
_BEGIN = b"-----BEGIN CERTIFICATE-----"


def _check_clock(context):
    """Raise what the chip raises for a certificate "not yet valid" while the clock is not set."""
    if context.verify_mode != tls.CERT_NONE and time.localtime()[0] < _SET_YEAR:
        raise ValueError("The certificate validity starts in the future")


def _contents(source):
    """Return bytes as they are, or the bytes of the file so named."""
    if isinstance(source, str):
        with open(source, "rb") as file:
            return file.read()
    return source


def _certificates(source):
    """Yield the DER bytes of each certificate in a PEM bundle; what is no PEM is DER already. One at a time, from where it lies:
    the chip, which reads PEM, takes no heap of MicroPython's for that.
    """
    at = source.find(_BEGIN)
    if at < 0:
        yield source
    while at >= 0:
        at += len(_BEGIN)
        end = source.find(b"-----END", at)
        yield binascii.a2b_base64(memoryview(source)[at : end if end >= 0 else len(source)])
        at = source.find(_BEGIN, at)


class SSLContext:
    """As MicroPython's own: a client context verifies unless told otherwise."""

    def __init__(self, protocol):
        self._context = tls.SSLContext(protocol)

    @property
    def verify_mode(self):
        """CERT_NONE, CERT_OPTIONAL or CERT_REQUIRED."""
        return self._context.verify_mode

    @verify_mode.setter
    def verify_mode(self, mode):
        self._context.verify_mode = mode

    def get_ciphers(self):
        """Return the names of the cipher suites."""
        return self._context.get_ciphers()

    def set_ciphers(self, names):
        """Allow these cipher suites only."""
        self._context.set_ciphers(names)

    def load_cert_chain(self, certfile, keyfile):
        """Load this side's certificate and key: file names, or the DER or PEM bytes."""
        self._context.load_cert_chain(_contents(certfile), _contents(keyfile))

    def load_verify_locations(self, cafile=None, cadata=None):
        """Load the authorities' certificates: a file name, or the DER or PEM bytes."""
        for certificate in _certificates(_contents(cafile if cadata is None else cadata)):
            self._context.load_verify_locations(certificate)

    def wrap_socket(self, sock, *, server_side=False, do_handshake_on_connect=True, server_hostname=None):
        """Wrap any stream; ValueError when the certificate does not verify, or cannot for want of a clock."""
        if not server_side:
            _check_clock(self)
        return self._context.wrap_socket(
            sock,
            server_side=server_side,
            do_handshake_on_connect=do_handshake_on_connect,
            server_hostname=server_hostname,
        )


def wrap_socket(sock, server_side=False, key=None, cert=None, cert_reqs=0, cadata=None, server_hostname=None):
    """Wrap a stream the old way, as `requests` does: nothing is verified unless cert_reqs says so."""
    context = SSLContext(tls.PROTOCOL_TLS_SERVER if server_side else tls.PROTOCOL_TLS_CLIENT)
    if cert or key:
        context.load_cert_chain(cert, key)
    if cadata:
        context.load_verify_locations(cadata=cadata)
    context.verify_mode = cert_reqs
    return context.wrap_socket(sock, server_side=server_side, server_hostname=server_hostname)
