"""A test authority and the server certificates it signs: good, expired, not yet valid, for another name, from
another authority. For loopback and the bench only: the keys are made on the spot and lie on the disk
unprotected.

P-256 keys throughout: small, and quick on a terminal.
"""

from datetime import datetime, timedelta, timezone
from ipaddress import ip_address
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_DAY = timedelta(days=1)

# kind -> (days from now to the first day, days from now to the last)
_SPANS = {
    "good": (-1, 365),
    "expired": (-400, -2),
    "not_yet_valid": (30, 400),
    "wrong_name": (-1, 365),
    "other_ca": (-1, 365),
}
KINDS = tuple(_SPANS)
_OTHER_NAME = "elsewhere.invalid"


class ServerFiles(NamedTuple):
    """Paths a server and its client need: the client trusts `ca`; the server shows `certificate` with
    `key`."""

    ca: Path
    certificate: Path
    key: Path


class Authority:
    """A certificate authority with its key in memory. `now`: the time its certificates are reckoned from
    (UTC)."""

    def __init__(self, name="hanma test CA", now=None):
        self.now = now or datetime.now(timezone.utc)
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name(name)
        builder = self._builder(self._name, self._key.public_key(), -500, 3650)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        builder = builder.add_extension(_usage(certificate_sign=True), critical=True)
        self.certificate = builder.sign(self._key, hashes.SHA256())

    def pem(self):
        """The authority's certificate, as a client's CA file holds it (bytes)."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    def server(self, names, first_day=-1, last_day=365):
        """A server certificate for host names and addresses, valid from `first_day` to `last_day` from now.

        Returns (certificate PEM, key PEM), both bytes.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        builder = self._builder(_name(names[0]), key.public_key(), first_day, last_day)
        alternatives = x509.SubjectAlternativeName([_alternative(name) for name in names])
        builder = builder.add_extension(alternatives, critical=False)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(_usage(), critical=True)
        purpose = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
        builder = builder.add_extension(purpose, critical=False)
        certificate = builder.sign(self._key, hashes.SHA256())
        return certificate.public_bytes(serialization.Encoding.PEM), _key_pem(key)

    def _builder(self, subject, public_key, first_day, last_day):
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(self._name)
        builder = builder.public_key(public_key).serial_number(x509.random_serial_number())
        builder = builder.not_valid_before(self.now + first_day * _DAY)
        builder = builder.not_valid_after(self.now + last_day * _DAY)
        identifier = x509.SubjectKeyIdentifier.from_public_key(public_key)
        return builder.add_extension(identifier, critical=False)


def make(directory, kind="good", names=("localhost", "127.0.0.1"), now=None):
    """Writes the files of one case into `directory` (made if need be); `kind` is one of KINDS.

    Returns ServerFiles. With "other_ca" the client's `ca` is an authority that did not sign the certificate;
    with "wrong_name" the certificate is for another host. `now`: see Authority.
    """
    first_day, last_day = _SPANS[kind]
    authority = Authority(now=now)
    names = (_OTHER_NAME,) if kind == "wrong_name" else tuple(names)
    certificate, key = authority.server(names, first_day, last_day)
    trusted = Authority("another test CA", now=now) if kind == "other_ca" else authority
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    files = ServerFiles(directory / "ca.pem", directory / "server.pem", directory / "server.key")
    files.ca.write_bytes(trusted.pem())
    files.certificate.write_bytes(certificate)
    files.key.touch(0o600)
    files.key.write_bytes(key)
    return files


def _name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _alternative(name):
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _usage(certificate_sign=False):
    return x509.KeyUsage(
        digital_signature=not certificate_sign, key_cert_sign=certificate_sign, crl_sign=certificate_sign,
        content_commitment=False, key_encipherment=False, data_encipherment=False, key_agreement=False,
        encipher_only=False, decipher_only=False)


def _key_pem(key):
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                             serialization.NoEncryption())
