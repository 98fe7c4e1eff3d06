"""Keys that sign releases: a private one in a file with a passphrase, its public one beside it, the pair that devices know.

RSA with 3072 bits and exponent 65537, nothing else: a terminal checks it with three lines of whole numbers. On a terminal a public
key is its modulus, 384 bytes big-endian; the file it keeps them in is these, one behind the other. State: none.
"""

import os
import pathlib

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from hanma.release.device import bundle

_BITS = 3072
_EXPONENT = 65537
# Every device knows two: when one is lost or leaked, a release signed by the other retires it.
DEVICE_KEYS = 2


class KeyProblem(Exception):
    """A key or passphrase cannot be used; the text says why. No secret is in it."""


def passphrase(source, ask):
    """Return the passphrase (bytes) from where source says: env:NAME, file:PATH (its first line), or prompt.

    ask: called for prompt, returns the text. Raises KeyProblem.
    """
    kind, _, where = source.partition(":")
    if kind == "env" and where:
        text = os.environ.get(where, "")
    elif kind == "file" and where:
        text = _first_line(where)
    elif source == "prompt":
        text = ask()
    else:
        raise KeyProblem("a passphrase comes from env:NAME, file:PATH or prompt, never from the command line itself")
    if not text:
        raise KeyProblem(f"the passphrase from {source} is empty")
    return text.encode()


def _first_line(path):
    try:
        return (pathlib.Path(path).read_text(encoding="utf-8").splitlines() or [""])[0]
    except (OSError, UnicodeError) as error:
        raise KeyProblem(f"the passphrase cannot be read: {error}") from error


def new(path, secret):
    """Make a key: the private one at path under the passphrase, the public one at path.pub. Returns the public key's bytes.

    A file that is there already is left alone. Raises KeyProblem.
    """
    path = pathlib.Path(path)
    made = rsa.generate_private_key(_EXPONENT, _BITS)
    sealed = made.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(secret)
    )
    public = made.public_key()
    spoken = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    _create(path, sealed, 0o600)
    _create(public_path(path), spoken, 0o644)
    return modulus(public)


def public_path(path):
    """Return where the public key of a private one lies."""
    return path.with_name(path.name + ".pub")


def _create(path, data, mode):
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except OSError as error:
        raise KeyProblem(f"{path}: {error.strerror}") from error
    with open(handle, "wb") as file:
        file.write(data)


def load_private(path, secret):
    """Return the private key of a file. Raises KeyProblem."""
    try:
        key = serialization.load_pem_private_key(_read(path), secret)
    except TypeError as error:
        raise KeyProblem(f"{path} is not under a passphrase: a key that signs releases must be") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise KeyProblem(f"{path}: no private key, or the passphrase is wrong") from error
    if not isinstance(key, rsa.RSAPrivateKey) or not _is_fit(key.public_key()):
        raise KeyProblem(f"{path}: a key for releases is RSA with {_BITS} bits and exponent {_EXPONENT}")
    return key


def load_public(path):
    """Return the public keys in a file, bytes each: one in PEM, or those of a device's file. Raises KeyProblem."""
    data = _read(path)
    if not data.startswith(b"-----BEGIN"):
        if not data or len(data) % bundle.KEY_B:
            raise KeyProblem(f"{path}: neither a public key in PEM nor a device's file of keys")
        return bundle.split_keys(data)
    try:
        key = serialization.load_pem_public_key(data)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise KeyProblem(f"{path}: no public key") from error
    if not isinstance(key, rsa.RSAPublicKey) or not _is_fit(key):
        raise KeyProblem(f"{path}: a key for releases is RSA with {_BITS} bits and exponent {_EXPONENT}")
    return [modulus(key)]


def load_all(paths):
    """Return the public keys of several files. Raises KeyProblem."""
    return [key for path in paths for key in load_public(path)]


def device_file(paths):
    """Return the bytes of the file by which a device knows its two keys. Raises KeyProblem."""
    known = load_all(paths)
    if len(known) != DEVICE_KEYS or len(set(known)) != DEVICE_KEYS:
        raise KeyProblem("a device knows two different keys, so that one can be retired")
    return b"".join(known)


def modulus(public):
    """Return a public key as the device keeps it."""
    return public.public_numbers().n.to_bytes(bundle.KEY_B, "big")


def sign(private, data):
    """Return the signature of data, 384 bytes; the same data give the same."""
    return private.sign(data, padding.PKCS1v15(), hashes.SHA256())


def _is_fit(public):
    return public.key_size == _BITS and public.public_numbers().e == _EXPONENT


def _read(path):
    try:
        return pathlib.Path(path).read_bytes()
    except OSError as error:
        raise KeyProblem(f"{path}: {error.strerror}") from error
