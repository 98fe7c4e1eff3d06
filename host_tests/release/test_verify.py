"""`verify` judges as a device does and says why; `inspect` shows what a bundle says, and believes none of it."""

import pathlib

import pytest

from hanma.release import bundle as bundles
from hanma.release import wording
from host_tests.release import commands, forge
from host_tests.unit import replay


@pytest.fixture
def made(workshop, tree, tmp_path):
    """A bundle of version 7."""
    return workshop.build(tmp_path / "seven.bundle", 7, tree, "--follows", "3")[0]


def _with(path, data):
    """Write other bytes beside a bundle; return where."""
    other = path.with_name("changed.bundle")
    other.write_bytes(data)
    return other


def test_a_good_bundle_would_be_taken(workshop, made):
    assert "可升级" in workshop.verify(made, "--running", 6)


REFUSALS = {
    "wrong_board": {"board": "lilygo_t_a7670", "options": ("--running", 6)},
    "wrong_micropython": {"options": ("--running", 6, "--micropython", "1.12.0")},
    "older": {"options": ("--running", 7)},
    "base_mismatch": {"options": ("--running", 2)},
    "expired": {"options": ("--running", 6, "--now", "2030-01-02")},
    "too_large": {"options": ("--running", 6, "--room-b", 100)},
}


@pytest.mark.parametrize("reason", REFUSALS)
def test_a_bundle_that_does_not_fit_is_refused_in_the_devices_words(workshop, made, reason):
    given = REFUSALS[reason]
    printed = workshop.verify(made, *given["options"], board=given.get("board", "unix"), code=3)
    assert reason in printed
    assert all(words in printed for words in wording.REASONS[reason])


def test_a_clock_that_is_not_known_expires_nothing(workshop, made):
    workshop.verify(made, "--running", 6, "--now", "unknown")


DAMAGE = {
    "bad_format": lambda data: b"<html>" + data,
    "truncated": lambda data: data[:-1],
    "mixed_files": lambda data: data[:-1] + b"?",
    "too_large": lambda data: data + b"?",
    "wrong_signature": lambda data: data[:450] + bytes([data[450] ^ 1]) + data[451:],
    "unknown_key": lambda data: data[:8] + bytes(8) + data[16:],
}


@pytest.mark.parametrize("reason", DAMAGE)
def test_a_damaged_bundle_is_refused_with_the_reason(workshop, made, reason):
    other = _with(made, DAMAGE[reason](made.read_bytes()))
    assert reason in workshop.verify(other, "--running", 6, code=3)


def test_the_refusal_names_the_file_that_is_mixed_in(workshop, made):
    other = _with(made, made.read_bytes()[:-1] + b"?")
    assert "main.py" in workshop.verify(other, "--running", 6, code=3)


def test_a_retired_key_is_unknown(workshop, made):
    printed = workshop.verify(made, "--running", 6, "--retired", workshop.directory / "a.pub", code=3)
    assert "unknown_key" in printed


def test_a_difference_is_taken_only_over_its_base(workshop, made, tree, tmp_path):
    later = commands.write_tree(tmp_path / "later", {"main.py": b"import other\n"})
    path, _ = workshop.build(tmp_path / "eight", 8, later, "--base", made)
    base_tree = bundles.tree_of(bundles.tree_files(tree)).hex()
    workshop.verify(path, "--running", 7, "--running-tree", base_tree)
    assert "base_mismatch" in workshop.verify(path, "--running", 7, code=3)
    assert "base_mismatch" in workshop.verify(path, "--running", 6, "--running-tree", base_tree, code=3)


def test_every_reason_of_the_device_has_its_words():
    source = (replay.FIRMWARE / "terminal" / "bundle.py").read_text(encoding="utf-8")
    for reason, (chinese, english) in wording.REASONS.items():
        assert f'"{reason}"' in source
        assert chinese and english and not chinese.isascii()


def test_what_is_no_file_or_key_is_said_without_a_traceback(workshop, made, tmp_path):
    assert "absent" in workshop.verify(tmp_path / "absent", code=1)
    given = ("--board", "unix", "--micropython", "1.26.1")
    assert "absent" in commands.release("verify", made, "--key", tmp_path / "absent", *given, code=1)
    commands.release("verify", made, "--key", workshop.keys, *given, "--running-tree", "abc", code=2)
    assert "absent" in commands.release("inspect", tmp_path / "absent", code=1)


# inspect


def test_inspect_shows_facts_and_files_and_says_that_nothing_is_checked(workshop, made, tree):
    printed = commands.release("inspect", made)
    assert "签名未验证" in printed
    assert "2030-01-01 00:00 UTC" in printed
    assert f"{made.stat().st_size} B" in printed
    assert bundles.tree_of(bundles.tree_files(tree)).hex() in printed
    assert all(name in printed for name in commands.TREE if name != "boot.py")
    assert "lib/board.mpy" not in commands.release("inspect", made, "--no-files")


def test_inspect_shows_also_what_no_device_trusts(tmp_path):
    path = tmp_path / "foreign"
    path.write_bytes(forge.bundle(key="C", text="x"))
    assert forge.key_id("C").hex() in commands.release("inspect", path)


def test_inspect_shows_a_difference_with_its_base(workshop, made, tree, tmp_path):
    later = commands.write_tree(tmp_path / "later", {"main.py": b"import other\n"})
    path, _ = workshop.build(tmp_path / "eight", 8, later, "--base", made)
    printed = commands.release("inspect", path)
    assert "基础版本" in printed
    assert bundles.tree_of(bundles.tree_files(tree)).hex() in printed


def test_inspect_refuses_what_is_no_bundle():
    assert "bad_format" in commands.release("inspect", pathlib.Path(__file__), code=3)


def test_a_time_far_off_is_shown_and_not_stumbled_over(tmp_path):
    path = tmp_path / "late"
    path.write_bytes(forge.bundle(expires_ms=1 << 48))
    assert f"{1 << 48} ms" in commands.release("inspect", path)
