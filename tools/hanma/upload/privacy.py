"""Keeps what is private private: sealing at rest, look-up keys, masks for screens, and logs that tell nothing.

State: the key inside a Vault; the texts to be hidden from logs, for the process. A Vault never shows its key.
"""

import base64
import hmac
import logging
import os
import re
import secrets
import stat
import traceback
from hashlib import sha256
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from . import site as sites

_KEY_B = 32  # AES-256
_NONCE_B = 12  # what GCM is made for (NIST SP 800-38D, 5.2.1.1)
_HIDDEN = "***"


class PrivacyError(Exception):
    """A key that can't be used or a sealed text that can't be opened; the text never holds either."""


class Vault:
    """Seals and opens bytes and makes look-up keys, each with its own key derived from the one given."""

    def __init__(self, key):
        """Take the site's key, 32 bytes. PrivacyError for another length."""
        if len(key) != _KEY_B:
            raise PrivacyError(f"the key has {len(key)} bytes, not {_KEY_B}: make one with new_key")
        self._sealing = AESGCM(_derive(key, b"hanma seal 1"))
        self._looking_up = _derive(key, b"hanma lookup 1")

    def seal(self, data, about=b""):
        """Return data encrypted (AES-256-GCM, a fresh nonce in front). It opens only with the same about."""
        nonce = secrets.token_bytes(_NONCE_B)
        return nonce + self._sealing.encrypt(nonce, data, about)

    def open(self, sealed, about=b""):
        """Return what seal was given. PrivacyError when the key, the bytes or about are others."""
        try:
            return self._sealing.decrypt(sealed[:_NONCE_B], sealed[_NONCE_B:], about)
        except (InvalidTag, ValueError):
            raise PrivacyError("this was sealed with another key, or is damaged") from None

    def lookup(self, text):
        """Return the look-up key of a text, HMAC-SHA256 in hex: without the key nobody can try ids against it."""
        return self.digest(text.encode())

    def digest(self, *parts):
        """Return the same for several runs of bytes; where one ends and the next begins counts."""
        running = hmac.new(self._looking_up, digestmod=sha256)
        for part in parts:
            running.update(len(part).to_bytes(8, "big"))
            running.update(part)
        return running.hexdigest()


def _derive(key, purpose):
    return HKDF(algorithm=SHA256(), length=_KEY_B, salt=None, info=purpose).derive(key)


def new_key(path):
    """Write a fresh key to a file that only its owner may read. FileExistsError rather than replace one."""
    text = base64.urlsafe_b64encode(secrets.token_bytes(_KEY_B))
    number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(number, "wb") as file:
        file.write(text + b"\n")
        file.flush()
        os.fsync(file.fileno())
    return Path(path)


def load_key(site):
    """Return the key a site's profile refers to (env:NAME or file:PATH). PrivacyError says what to do."""
    kind, _, where = site.key.partition(":")
    if kind == "file":
        _refuse_open_file(site.directory / where)
    try:
        text = sites.resolve(site.key, site.directory)
    except sites.SiteError as error:
        raise PrivacyError(
            f"没有密钥 (no key): {error}。新工地用 hanma upload key 做一个；用过的请把备份放回去 (make one, or put the copy back)"
        ) from None
    try:
        return base64.urlsafe_b64decode(text.strip())
    except ValueError:
        raise PrivacyError(f"what {site.key} holds is no key (base64 of {_KEY_B} bytes)") from None


def _refuse_open_file(path):
    """Windows has no such bits: there the folder's own rights must do."""
    if os.name != "posix" or not path.exists():
        return
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        raise PrivacyError(f"{path} may be read by others (mode {mode:o}): chmod 600 it, and make a new key if they could")


# Masks for screens


def _mask_id(text):
    return text[:-6] + "*" * min(6, len(text))


def _mask_name(text):
    return text[:1] + "*" * (len(text) - 1)


def _mask_phone(text):
    return text[:3] + "*" * (len(text) - 7) + text[-4:] if len(text) > 7 else "*" * len(text)


def _mask_bank(text):
    return "*" * (len(text) - 4) + text[-4:] if len(text) > 8 else "*" * len(text)


def _mask_place(text):
    return text[:6] + "*" * max(0, len(text) - 6)


_MASKS = {"id": _mask_id, "name": _mask_name, "phone": _mask_phone, "bank": _mask_bank, "place": _mask_place}


def mask(kind, text):
    """Return a private text as it may be shown. kind: one of catalogue.PRIVACY; "" shows it whole, face and health nothing."""
    text = str(text)
    if not kind:
        return text
    return _MASKS[kind](text) if kind in _MASKS else _HIDDEN


# Logs and messages

_PATTERNS = (
    (re.compile(r"(?i)((?:secret|appid|access_?token|access_id|password)[\"']?\s*[=:]\s*[\"']?)[^\s&\"',}]+"), rf"\g<1>{_HIDDEN}"),
    (re.compile(r"(?<![0-9A-Za-z])(\d{11})\d{6}[0-9Xx](?![0-9A-Za-z])"), r"\g<1>*******"),
    (re.compile(r"(?<![0-9A-Za-z])(\d{9})\d{6}(?![0-9A-Za-z])"), r"\g<1>******"),
    # A card's number; a batch's (its day and eight digits) has as many digits and is shown.
    (re.compile(r"(?<![0-9A-Za-z])(?!20\d\d[01]\d[0-3]\d{9}\b)\d{12,15}(\d{4})(?![0-9A-Za-z])"), r"************\g<1>"),
    (re.compile(r"(?<![0-9A-Za-z])(1[3-9]\d)\d{4}(\d{4})(?![0-9A-Za-z])"), r"\g<1>****\g<2>"),
    (re.compile(r"(?<![0-9A-Za-z])[0-9a-f]{32}(?![0-9A-Za-z])"), _HIDDEN),
)
_hidden = set()


def hide(secret):
    """Keep this text (a token, a secret) out of every log line and message from now on."""
    if secret:
        _hidden.add(str(secret))


def rewrite(text):
    """Return a text for a log or a message without hidden texts, ids, phones, card numbers and tokens."""
    for secret in sorted(_hidden, key=len, reverse=True):
        text = text.replace(secret, _HIDDEN)
    for pattern, instead in _PATTERNS:
        text = pattern.sub(instead, text)
    return text


class _Guard:
    """A log record's maker that rewrites the message and the traceback before any handler sees them."""

    def __init__(self, make):
        self._make = make

    def __call__(self, *args, **kwargs):
        record = self._make(*args, **kwargs)
        try:
            record.msg = rewrite(record.getMessage())
        except (TypeError, ValueError):
            record.msg = f"{record.name}: a log line that does not fit its arguments"
        record.args = None
        if record.exc_info:
            if any(record.exc_info):
                record.exc_text = rewrite("".join(traceback.format_exception(*record.exc_info)).rstrip("\n"))
            record.exc_info = None
        return record


def guard_logs():
    """From now on rewrite what anybody in this process logs, libraries too: httpx and httpcore log whole addresses."""
    make = logging.getLogRecordFactory()
    if not isinstance(make, _Guard):
        logging.setLogRecordFactory(_Guard(make))
