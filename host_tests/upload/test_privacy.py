"""Keys, seals, masks, and logs that tell nothing."""

import logging
import os
import stat

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hanma.upload import privacy
from hanma.upload.privacy import PrivacyError, Vault
from hanma.upload.site import Site

KEY = bytes(range(32))
ID = "440500199001011234"


@pytest.fixture
def log_lines():
    """Guarded logging, and the lines a handler of the root gets."""
    lines = []

    class Handler(logging.Handler):
        def emit(self, record):
            lines.append(self.format(record))

    before, handler, root = logging.getLogRecordFactory(), Handler(), logging.getLogger()
    privacy.guard_logs()
    root.addHandler(handler)
    yield lines
    root.removeHandler(handler)
    logging.setLogRecordFactory(before)


@settings(max_examples=50)
@given(st.binary(max_size=200), st.binary(max_size=20))
def test_what_is_sealed_opens_again(data, about):
    vault = Vault(KEY)
    sealed = vault.seal(data, about)
    assert vault.open(sealed, about) == data
    assert len(data) < 4 or data not in sealed


@pytest.mark.parametrize(
    "spoil",
    [
        lambda sealed: Vault(b"x" * 32).open(sealed, b"about"),
        lambda sealed: Vault(KEY).open(sealed, b"another"),
        lambda sealed: Vault(KEY).open(sealed[:-1] + bytes([sealed[-1] ^ 1]), b"about"),
        lambda sealed: Vault(KEY).open(b"", b"about"),
    ],
    ids=["another key", "another record", "a changed byte", "nothing"],
)
def test_another_key_another_record_or_a_changed_byte_opens_nothing(spoil):
    with pytest.raises(PrivacyError):
        spoil(Vault(KEY).seal(b"secret", b"about"))


def test_look_up_keys_repeat_for_one_key_and_differ_for_another():
    assert Vault(KEY).lookup(ID) == Vault(KEY).lookup(ID)
    assert Vault(KEY).lookup(ID) != Vault(b"x" * 32).lookup(ID)
    assert Vault(KEY).digest(b"ab", b"c") != Vault(KEY).digest(b"a", b"bc")


def test_a_key_of_another_length_is_refused():
    with pytest.raises(PrivacyError, match="16 bytes"):
        Vault(b"x" * 16)


def test_a_new_key_is_for_its_owner_alone_and_never_replaces_one(tmp_path):
    path = privacy.new_key(tmp_path / "hanma.key")
    if os.name == "posix":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(privacy.load_key(Site(name="s", platform="shantou", directory=tmp_path))) == 32
    with pytest.raises(FileExistsError):
        privacy.new_key(path)


@pytest.mark.skipif(os.name != "posix", reason="only POSIX has these bits")
def test_a_key_file_that_others_may_read_is_refused(tmp_path):
    privacy.new_key(tmp_path / "hanma.key").chmod(0o640)
    with pytest.raises(PrivacyError, match="640"):
        privacy.load_key(Site(name="s", platform="shantou", directory=tmp_path))


def test_a_key_may_come_from_the_environment(tmp_path, monkeypatch):
    text = privacy.new_key(tmp_path / "other").read_text()
    monkeypatch.setenv("HANMA_KEY", text)
    site = Site(name="s", platform="shantou", key="env:HANMA_KEY", directory=tmp_path)
    assert len(Vault(privacy.load_key(site)).lookup("x")) == 64


@pytest.mark.parametrize("reference", ["env:NO_SUCH_KEY", "file:none.key"])
def test_a_key_that_is_not_there_is_told_without_a_traceback_of_paths(tmp_path, reference):
    with pytest.raises(PrivacyError, match="no key"):
        privacy.load_key(Site(name="s", platform="shantou", key=reference, directory=tmp_path))


@pytest.mark.parametrize(
    ("kind", "text", "shown"),
    [
        ("id", ID, "440500199001******"),
        ("id", "1234", "****"),
        ("name", "张三丰", "张**"),
        ("phone", "13412341234", "134****1234"),
        ("bank", "6222021234567890123", "***************0123"),
        ("place", "汕头市金平区某街道一号", "汕头市金平区*****"),
        ("health", "36.5", "***"),
        ("face", "a.jpg", "***"),
        ("", "塔吊", "塔吊"),
    ],
)
def test_a_private_value_is_shown_masked(kind, text, shown):
    assert privacy.mask(kind, text) == shown


@pytest.mark.parametrize(
    "text",
    [
        f"GET https://h/token?appid=my-appid&secret={'s' * 20}",
        f"worker {ID} refused",
        "worker 440500199001011 refused",
        "worker 44050019900101123X refused",
        "call 13412341234",
        "card 6222021234567890123",
        f"POST /api/gate/{'0a' * 16}",
        '{"access_token": "top-secret-thing"}',
    ],
)
def test_no_private_text_is_left_in_a_log_line(log_lines, text):
    logging.getLogger("httpx").warning("%s", text)
    for private in ("my-appid", "s" * 20, ID, "440500199001011", "44050019900101123X", "13412341234"):
        assert private not in log_lines[0]
    for private in ("6222021234567890123", "0a" * 16, "top-secret-thing"):
        assert private not in log_lines[0]


def test_a_hidden_secret_is_left_in_no_message_argument_or_traceback(log_lines):
    privacy.hide("correct horse")
    try:
        raise ValueError("wrong: correct horse")
    except ValueError:
        logging.getLogger("any").exception("asked with %s", "correct horse")
    assert "correct horse" not in log_lines[0]
    assert "ValueError: wrong: ***" in log_lines[0]


def test_plain_lines_and_times_stay_as_they_are(log_lines):
    logging.getLogger("any").warning("%d records at %s, batch %s", 3, "2026-11-21 10:00:00", "2026112100000001")
    assert log_lines == ["3 records at 2026-11-21 10:00:00, batch 2026112100000001"]
