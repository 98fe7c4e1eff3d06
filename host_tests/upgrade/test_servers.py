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


def test_a_token_goes_to_no_other_server_and_is_gone_with_its_order(upgrading, tmp_path):
    chip = upgrading.world.chip
    first = upgrading.started(release(tmp_path / "seven", 7), token=_TOKEN)
    first_port = upgrading.port
    upgrading.serve(release(tmp_path / "eight", 8))
    elsewhere = f"https://localhost:{upgrading.port}/eight"
    upgrading.behave(port=first_port, redirect=elsewhere)
    upgrading.order(first, token=_TOKEN)
    wait_for(lambda: upgrading.asked(first_port), upgrading.world.story)
    upgrading.world.terminal_passes(30)
    assert upgrading.asked() == []  # nothing follows a redirect
    assert chip.nvs_get("hanma", "ota_token")
    upgrading.behave(token=_TOKEN)
    upgrading.order(elsewhere)
    upgrading.until("failed", reason="denied")
    wait_for(lambda: chip.nvs_get("hanma", "ota_token") is None, upgrading.world.story)


def test_a_token_outlives_a_power_cut_and_is_in_no_file_log_or_report(upgrading, tmp_path):
    chip = upgrading.world.chip
    url = upgrading.started(release(tmp_path / "seven", 7), token=_TOKEN, cut_after=20000, cut="always")
    upgrading.order(url, token=_TOKEN)
    wait_for(lambda: len(upgrading.asked()) > 2, upgrading.world.story)
    chip.power_off()
    files = [path for path in upgrading.world.flash.rglob("*") if path.is_file()]
    assert not [path for path in files if _TOKEN.encode() in path.read_bytes()]
    chip.power_on()
    upgrading.until("ready")
    wait_for(lambda: chip.nvs_get("hanma", "ota_token") is None, upgrading.world.story)
    assert {entry["code"] for entry in upgrading.asked()} == {"206"}
    assert _TOKEN not in chip.console_text()
    assert _TOKEN not in str([told for topic, told, _ in upgrading.world.platform.messages if "command" not in topic])


@pytest.mark.parametrize("bytes_per_s", [1, 1200])
def test_of_slow_data_each_wait_ends_and_orders_are_obeyed_meanwhile(upgrading, tmp_path, bytes_per_s):
    url = upgrading.started(release(tmp_path / "seven", 7))
    upgrading.behave(bytes_per_s=bytes_per_s)
    upgrading.order(url)
    wait_for(lambda: upgrading.asked(), upgrading.world.story)
    upgrading.world.switch_on()
    upgrading.world.platform.answer(upgrading.world.platform.order(0))
    upgrading.world.until_relay(0)
    _until_cut(upgrading, "")
    assert len(upgrading.world.chip.reset_causes) == 1
    upgrading.behave(bytes_per_s=0)
    upgrading.until("ready")
