"""Whom a terminal fetches a release from: it proves itself before a byte is asked for, and the token goes to nobody else."""

import hashlib

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from hanma.bench import certificates
from host_tests.system.harness import wait_for
from host_tests.upgrade.world import Upgrading, release

pytestmark = pytest.mark.slow

_TOKEN = "token-of-this-order-alone"


@pytest.fixture
def upgrading(tmp_path):
    with Upgrading(tmp_path) as found:
        yield found


def _fingerprint(files):
    certificate = x509.load_pem_x509_certificate(files.certificate.read_bytes())
    return hashlib.sha256(certificate.public_bytes(serialization.Encoding.DER)).hexdigest()


def _by_number(url):
    return url.replace("localhost", "127.0.0.1")


def _until_cut(upgrading, word):
    text = f"upgrade cut: {word}"
    wait_for(lambda: text in upgrading.world.chip.console_text(), upgrading.world.story)


def test_a_server_named_by_its_address_alone_is_not_asked(upgrading, tmp_path):
    url = _by_number(upgrading.started(release(tmp_path / "seven", 7)))
    upgrading.order(url)
    upgrading.until("failed", reason="address")
    assert upgrading.asked() == []


@pytest.mark.parametrize("setting", ["ota_fingerprint", "signature_only"])
def test_a_server_named_by_its_address_is_asked_with_its_fingerprint_pinned_or_where_the_signature_is_enough(tmp_path, setting):
    stranger = certificates.make(tmp_path / "stranger", "other_ca")
    config = {setting: _fingerprint(stranger) if setting == "ota_fingerprint" else True}
    with Upgrading(tmp_path, config=config) as upgrading:
        url = upgrading.started(release(tmp_path / "seven", 7), files=stranger, token=_TOKEN)
        upgrading.order(_by_number(url), token=_TOKEN)
        upgrading.until("ready", version=7)


def test_a_server_with_another_certificate_than_the_pinned_one_is_sent_nothing(tmp_path):
    with Upgrading(tmp_path, config={"ota_fingerprint": "ab" * 32}) as upgrading:
        url = upgrading.started(release(tmp_path / "seven", 7), token=_TOKEN)
        upgrading.order(_by_number(url), token=_TOKEN)
        _until_cut(upgrading, "('wrong_fingerprint'")
        assert upgrading.asked() == []


@pytest.mark.parametrize("kind", ["other_ca", "wrong_name", "expired"])
def test_a_named_server_that_cannot_prove_itself_is_sent_nothing(upgrading, tmp_path, kind):
    files = certificates.make(tmp_path / "stranger", kind)
    upgrading.order(upgrading.started(release(tmp_path / "seven", 7), files=files, token=_TOKEN), token=_TOKEN)
    _until_cut(upgrading, "(")
    assert upgrading.asked() == []
