"""Bundles as they are made: the same bytes each time, no more than what differs, signed by a key under a passphrase."""

import hashlib
import json
import os
import stat
import subprocess

import pytest

from hanma import stage as staging
from hanma.release import bundle as bundles
from hanma.release import device
from hanma.release import keys as signing
from host_tests.port import boot_choice
from host_tests.release import commands, forge


def _read(path):
    """Return (facts, {name: (size, offset)}) of a bundle that is really signed by one of its keys."""
    with bundles.opened(path) as found:
        facts, rows = bundles.unchecked(found)
    return facts, {name: (size, offset) for name, size, _digest, offset in rows}


def test_the_same_tree_and_facts_give_the_same_bytes(workshop, tmp_path):
    first, _ = workshop.build(tmp_path / "first", 7, commands.write_tree(tmp_path / "one"))
    reversed_tree = tmp_path / "two"
    for name in reversed(commands.TREE):
        commands.write_tree(reversed_tree, {name: commands.TREE[name]})
    os.utime(reversed_tree / "main.py", (1, 1))
    again, _ = workshop.build(tmp_path / "again", 7, reversed_tree)
    assert first.read_bytes() == again.read_bytes()


@pytest.mark.slow
def test_the_same_commit_gives_the_same_bytes(workshop, tmp_path):
    given = ("--board", "unix", "--version", 7, "--expires", commands.EXPIRES, "--key", workshop.directory / "a")
    commands.release("build", *given, "--passphrase", "env:RELEASE_PASSPHRASE", "--out", tmp_path / "first")
    again = staging.stage("unix", tmp_path / "tree")
    path, _ = workshop.build(tmp_path / "again", 7, again.out)
    assert (tmp_path / "first").read_bytes() == path.read_bytes()
    assert set(_read(path)[1]) == {file.path for file in again.files} - {"boot.py"}


def test_all_but_the_boot_file_is_carried(workshop, tree, tmp_path):
    path, _ = workshop.build(tmp_path / "out", 7, tree)
    data = path.read_bytes()
    facts, files = _read(path)
    assert {name: data[at : at + size] for name, (size, at) in files.items()} == {
        name: content for name, content in commands.TREE.items() if name != "boot.py"
    }
    assert (facts["version"], facts["expires_ms"], facts["boards"]) == (7, 1893456000000, ["unix"])


def test_the_manifest_is_canonical_json(workshop, tree, tmp_path):
    path, _ = workshop.build(tmp_path / "out", 7, tree, "--text", "0.7 焊")
    data = path.read_bytes()
    manifest = data[forge.HEAD_B : forge.HEAD_B + int.from_bytes(data[6:8], "big")]
    for line in manifest.splitlines():
        assert line == json.dumps(json.loads(line), sort_keys=True, separators=(",", ":")).encode()
    assert json.loads(manifest.splitlines()[0])["text"] == "0.7 焊"


def test_a_signature_is_what_openssl_calls_right(workshop, tree, tmp_path):
    data = workshop.build(tmp_path / "out", 7, tree)[0].read_bytes()
    beginning = forge.HEAD_B + int.from_bytes(data[6:8], "big")
    (tmp_path / "signature").write_bytes(data[16 : forge.HEAD_B])
    (tmp_path / "signed").write_bytes(data[:16] + data[forge.HEAD_B : beginning])
    command = ["openssl", "dgst", "-sha256", "-verify", workshop.directory / "a.pub", "-signature", "signature", "signed"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=20, check=False)
    assert done.stdout == "Verified OK\n", done.stderr


# Difference bundles


def _difference(workshop, tmp_path, changes):
    """Return (base, difference) of two releases."""
    base, _ = workshop.build(tmp_path / "base", 7, commands.write_tree(tmp_path / "old"))
    later = commands.write_tree(tmp_path / "new", changes)
    return base, workshop.build(tmp_path / "difference", 8, later, "--base", base)[0]


def test_a_difference_carries_only_what_differs(workshop, tmp_path):
    changes = {"lib/terminal/led.mpy": b"another lamp", "lib/terminal/new.mpy": b"new"}
    base, path = _difference(workshop, tmp_path, changes)
    facts, files = _read(path)
    assert {name for name, (_, at) in files.items() if at is not None} == set(changes)
    assert facts["base"] == [7, hashlib.sha256(bundles.table(bundles.tree_files(tmp_path / "old"))).hexdigest()]
    assert path.stat().st_size < base.stat().st_size


def test_a_file_that_is_gone_is_in_no_list_of_the_difference(workshop, tmp_path):
    changes = {"lib/terminal/led.mpy": None, "main.py": b"import other\n"}
    assert "lib/terminal/led.mpy" not in _read(_difference(workshop, tmp_path, changes)[1])[1]


def test_a_difference_and_the_whole_give_the_same_tree(workshop, tmp_path):
    _, path = _difference(workshop, tmp_path, {"main.py": b"import other\n"})
    whole, _ = workshop.build(tmp_path / "whole", 8, tmp_path / "new")
    trees = []
    for one in (path, whole):
        with bundles.opened(one) as found:
            bundles.unchecked(found)
            trees.append(found.tree)
    assert trees == [bundles.tree_of(bundles.tree_files(tmp_path / "new"))] * 2


def test_the_beginning_of_the_base_is_enough_to_differ_from_it(workshop, tmp_path):
    base, path = _difference(workshop, tmp_path, {"main.py": b"import other\n"})
    (tmp_path / "beginning").write_bytes(base.read_bytes()[: forge.HEAD_B + int.from_bytes(base.read_bytes()[6:8], "big")])
    again, _ = workshop.build(tmp_path / "again", 8, tmp_path / "new", "--base", tmp_path / "beginning")
    assert again.read_bytes() == path.read_bytes()


def test_a_difference_may_be_a_file_that_is_gone_and_nothing_else(workshop, tmp_path, tree):
    base, _ = workshop.build(tmp_path / "base", 7, tree)
    later = commands.write_tree(tmp_path / "later", {"lib/terminal/led.mpy": None})
    path, _ = workshop.build(tmp_path / "eight", 8, later, "--base", base)
    base_tree = bundles.tree_of(bundles.tree_files(tree)).hex()
    assert "可升级" in workshop.verify(path, "--running", 7, "--running-tree", base_tree)
    assert "lib/terminal/led.mpy" not in commands.release("inspect", path)


def test_a_base_that_cannot_be_one_is_refused_in_words(workshop, tmp_path, tree):
    base, _ = workshop.build(tmp_path / "base", 7, tree)
    image = commands.write_tree(tmp_path / "image", {"image": boot_choice.app_image(b"MicroPython")}) / "image"
    given = ("--version", 1, "--expires", commands.EXPIRES, "--key", workshop.directory / "a", "--board", "unix")
    commands.release("build", *given, "--image", image, "--passphrase", "env:RELEASE_PASSPHRASE", "-o", tmp_path / "whole")
    for version, board, file, words in (
        (7, "unix", base, "must be higher"),
        (8, "other", base, "for unix, not for other"),
        (8, "unix", base, "nothing differs"),
        (8, "unix", tree / "main.py", "bad_format"),
        (8, "unix", tmp_path / "absent", "absent"),
        (8, "unix", tmp_path / "whole", "whole image"),
    ):
        out = tmp_path / "out"
        assert words in workshop.build(out, version, tree, "--base", file, board=board, code=1)[1]
        assert not out.exists()


# What is not made


def test_a_tree_with_a_name_that_no_device_takes_makes_no_bundle(workshop, tmp_path):
    tree = commands.write_tree(tmp_path / "tree", {"lib/焊.mpy": b"x"})
    assert "no name inside a slot" in workshop.build(tmp_path / "out", 7, tree, code=1)[1]
    assert not (tmp_path / "out").exists()


def test_more_files_than_a_device_reads_make_no_bundle(workshop, tmp_path):
    tree = commands.write_tree(tmp_path / "tree", {f"lib/{number:03}.mpy": b"x" for number in range(200)})
    assert "at most 15984 B" in workshop.build(tmp_path / "out", 7, tree, code=1)[1]


def test_a_fact_that_a_device_refuses_makes_no_bundle(workshop, tree, tmp_path):
    assert "out of the range" in workshop.build(tmp_path / "out", 1 << 30, tree, code=1)[1]
    assert "out of the range" in workshop.build(tmp_path / "out", 7, tree, "--retire", workshop.directory / "a.pub", code=1)[1]
    assert not (tmp_path / "out").exists()


def test_a_failed_build_leaves_the_earlier_bundle_and_no_scrap(workshop, tree, tmp_path):
    path, _ = workshop.build(tmp_path / "out" / "release", 7, tree)
    before = path.read_bytes()
    workshop.build(path, 1 << 30, tree, code=1)
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == ["release"]


@pytest.mark.parametrize("options", [("--expires", "tomorrow"), ("--image", "x", "--base", "x"), ("--board", "second")])
def test_an_order_that_cannot_be_meant_is_refused_before_the_key_is_opened(workshop, tmp_path, options):
    given = ["--board", "unix", "--version", 7, "--expires", commands.EXPIRES, "--key", tmp_path / "absent"]
    commands.release("build", *given, "--out", tmp_path / "out", *options, code=2)


def _image(workshop, tmp_path, data, board, code):
    """Build a bundle of an image; return what is printed."""
    (tmp_path / "image").write_bytes(data)
    given = ("--version", 1, "--expires", commands.EXPIRES, "--key", workshop.directory / "a", "--board", board)
    options = ("--image", tmp_path / "image", "--passphrase", "env:RELEASE_PASSPHRASE", "-o", tmp_path / "whole")
    return commands.release("build", *given, *options, code=code)


_APP = boot_choice.app_image(b"MicroPython")


@pytest.mark.parametrize(
    ("data", "board", "words"),
    [
        (_APP + b"\xff" * 0x7000 + _APP, "unix", "this is not micropython.bin"),
        (_APP, "lilygo_t_relay_s3_simshield", "made for another chip"),
        (_APP[:40] + b"?" + _APP[41:], "unix", "wrong"),
        (_APP[:-40], "unix", "app"),
        (b"", "unix", "app"),
    ],
)
def test_an_image_that_no_bootloader_would_start_is_not_signed(workshop, tmp_path, data, board, words):
    assert words in _image(workshop, tmp_path, data, board, 1)
    assert not (tmp_path / "whole").exists()
    _image(workshop, tmp_path, _APP, "unix", 0)


# Keys


def test_a_private_key_is_readable_by_its_owner_alone_and_only_with_the_passphrase(workshop):
    path = workshop.directory / "a"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_text().startswith("-----BEGIN ENCRYPTED PRIVATE KEY-----")
    assert signing.load_private(path, commands.PASSPHRASE.encode()).key_size == 3072
    with pytest.raises(signing.KeyProblem, match="passphrase is wrong"):
        signing.load_private(path, b"another")


def test_a_key_that_is_there_is_never_written_over(workshop):
    before = (workshop.directory / "a").read_bytes()
    assert "File exists" in commands.release(
        "key", "new", workshop.directory / "a", "--passphrase", "env:RELEASE_PASSPHRASE", code=1
    )
    assert (workshop.directory / "a").read_bytes() == before


def test_a_passphrase_comes_from_the_environment_a_file_or_the_keyboard(tmp_path, monkeypatch):
    monkeypatch.setenv("WORDS", "from the environment")
    (tmp_path / "words").write_text("from a file\nsecond line\n")
    sources = ("env:WORDS", f"file:{tmp_path / 'words'}", "prompt")
    given = [signing.passphrase(source, lambda: "from the keyboard") for source in sources]
    assert given == [b"from the environment", b"from a file", b"from the keyboard"]


@pytest.mark.parametrize(
    "source", ["secret", "pass:secret", "env:", "env:NOT_THERE", "file:/not/there", "file:/dev/null", "prompt"]
)
def test_no_passphrase_or_one_on_the_command_line_is_refused_and_not_repeated(source):
    with pytest.raises(signing.KeyProblem) as raised:
        signing.passphrase(source, lambda: "")
    assert "secret" not in str(raised.value)


def test_a_device_knows_two_different_keys(workshop, tmp_path):
    both = workshop.keys.read_bytes()
    assert [device.bundle.key_id_of(key).hex() for key in device.bundle.split_keys(both)] == [
        line.split()[0] for line in commands.release("key", "show", workshop.keys).splitlines()
    ]
    for paths in (["a"], ["a", "a"]):
        words = commands.release(
            "key", "device", *[workshop.directory / f"{name}.pub" for name in paths], "--out", tmp_path / "keys", code=1
        )
        assert "two different keys" in words
    assert not (tmp_path / "keys").exists()


@pytest.mark.parametrize("content", [b"", b"x", b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"])
def test_a_file_that_is_no_public_key_is_named(tmp_path, content):
    (tmp_path / "spoilt").write_bytes(content)
    assert "spoilt" in commands.release("key", "show", tmp_path / "spoilt", code=1)


def test_a_key_of_another_kind_signs_nothing(tmp_path):
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ed25519

    made = ed25519.Ed25519PrivateKey.generate()
    for name, encryption in (
        ("sealed", serialization.BestAvailableEncryption(b"x")),
        ("open", serialization.NoEncryption()),
    ):
        pem = made.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
        (tmp_path / name).write_bytes(pem)
    with pytest.raises(signing.KeyProblem, match="3072 bits"):
        signing.load_private(tmp_path / "sealed", b"x")
    with pytest.raises(signing.KeyProblem, match="not under a passphrase"):
        signing.load_private(tmp_path / "open", b"x")
