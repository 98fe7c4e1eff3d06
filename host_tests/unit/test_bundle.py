"""What a terminal makes of a bundle: the whole one is taken, every other refused with its reason, alike on both interpreters."""

import hashlib
import io

import pytest
from drivers import bundle as driver
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hanma import toolchain
from host_tests.release import forge
from host_tests.unit.replay import FIRMWARE
from terminal import bundle

RUNS = settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
HEAD = forge.HEAD_B
CARRIED = ["lib/terminal/app.mpy"]
BASE = {"base": [6, "ab" * 32], "carried": CARRIED}


def files_begin(data):
    return HEAD + int.from_bytes(data[6:8], "big")


# What is taken


def test_a_whole_bundle_is_taken_with_every_file_where_it_lies(take_bundle):
    data = forge.bundle()
    reason, rows, tree = take_bundle(forge.case(data))
    assert reason is None
    assert {name: data[offset : offset + size] for name, size, _digest, offset in rows} == forge.FILES
    assert [row[2] for row in rows] == [hashlib.sha256(content).hexdigest() for _, content in sorted(forge.FILES.items())]
    assert tree == forge.tree(forge.FILES)


def test_a_bundle_signed_by_the_second_key_is_taken(take_bundle):
    assert take_bundle(forge.case(forge.bundle(key="B")))[0] is None


def test_a_difference_bundle_carries_what_differs_and_names_all(take_bundle):
    data = forge.bundle(**BASE)
    reason, rows, tree = take_bundle(forge.case(data, tree="ab" * 32))
    assert reason is None
    assert [(row[0], row[3]) for row in rows] == [
        ("lib/board.mpy", None),
        ("lib/terminal/app.mpy", files_begin(data)),
        ("main.py", None),
    ]
    assert tree == forge.tree(forge.FILES)


def test_a_whole_image_is_one_file(take_bundle):
    assert take_bundle(forge.case(forge.bundle({"micropython.bin": b"image"}, kind="image")))[0] is None
    assert take_bundle(forge.case(forge.bundle(kind="image")))[0] == "bad_format"


def test_an_empty_file_is_a_file(take_bundle):
    reason, rows, _tree = take_bundle(forge.case(forge.bundle({"lib/a.py": b"", "lib/b.py": b"b"})))
    assert (reason, [row[1] for row in rows]) == (None, [0, 1])


def test_what_is_not_verified_is_not_read():
    found = bundle.Bundle(io.BytesIO(forge.bundle()))
    with pytest.raises(bundle.Refused, match="wrong_signature"):
        found.facts()
    assert found.check("unix", "1.26.1", 6) == "wrong_signature"


def test_a_check_of_the_signature_that_is_left_half_way_counts_for_nothing():
    found = bundle.Bundle(io.BytesIO(forge.bundle()))
    steps = found.verifying([forge.public()])
    for _ in range(16):
        next(steps)
    assert not found.is_verified
    for _ in steps:
        pass
    assert found.is_verified
    with pytest.raises(bundle.Refused, match="unknown_key"):
        found.verify([forge.public("B")])
    assert not found.is_verified


# The attacks: what a device meets, and the reason it gives


def _garbage_behind_the_digest(digest):
    """Bleichenbacher 2006: short padding, a digest that a careless reader finds, then bytes of the forger's choice."""
    start = b"\x00\x01" + b"\xff" * 8 + b"\x00" + forge.DIGEST_INFO + digest
    return start + b"\x5a" * (forge.KEY_B - len(start))


def _block(digest, first=b"\x00\x01", fill=b"\xff", end=b"\x00", info=forge.DIGEST_INFO):
    room = forge.KEY_B - len(first) - len(end) - len(info) - len(digest)
    return first + fill * room + end + info + digest


_SHA256_WITHOUT_NULL = bytes.fromhex("302f300b0609608648016503040201") + b"\x04\x20"
PADDINGS = {
    "garbage behind the digest": _garbage_behind_the_digest,
    "block type 2": lambda digest: _block(digest, first=b"\x00\x02"),
    "block type 0": lambda digest: _block(digest, first=b"\x00\x00", fill=b"\x00"),
    "padding of other bytes": lambda digest: _block(digest, fill=b"\xfe"),
    "no end of the padding": lambda digest: _block(digest, end=b"\xff"),
    "garbage in the middle of the padding": lambda digest: _block(digest)[:200] + b"\x00" + _block(digest)[201:],
    "no algorithm": lambda digest: _block(digest, info=b""),
    "no parameters": lambda digest: _block(digest, info=_SHA256_WITHOUT_NULL),
    "parameters of the forger's": lambda digest: _block(digest, info=forge.DIGEST_INFO[:13] + b"\x05\x01\x5a\x04\x20"),
    "SHA-1's name": lambda digest: _block(digest, info=bytes.fromhex("3021300906052b0e03021a05000420")),
    "another digest": lambda digest: _block(bytes(32)),
    "the digest twice": lambda digest: _block(digest + digest),
}


def test_the_block_that_the_attacks_vary_is_the_right_one(take_bundle):
    assert take_bundle(forge.case(forge.bundle(sign=forge.padded_by(_block))))[0] is None


@pytest.mark.parametrize("name", PADDINGS)
def test_a_signature_with_another_padding_is_refused(take_bundle, name):
    assert take_bundle(forge.case(forge.bundle(sign=forge.padded_by(PADDINGS[name]))))[0] == "wrong_signature"


def _constant(value):
    return lambda key, signed: value(forge.private(key).public_key().public_numbers().n).to_bytes(forge.KEY_B, "big")


@pytest.mark.parametrize("value", [lambda n: 0, lambda n: 1, lambda n: n - 1, lambda n: n, lambda n: (1 << 3072) - 1])
def test_a_number_that_any_key_lets_pass_is_no_signature(take_bundle, value):
    assert take_bundle(forge.case(forge.bundle(sign=_constant(value))))[0] == "wrong_signature"


def test_a_right_signature_plus_the_modulus_is_refused(take_bundle):
    def sign(key, signed):
        number = int.from_bytes(forge.right_signature(key, signed), "big")
        larger = number + forge.private(key).public_key().public_numbers().n
        # with some keys and messages the sum still fits into 384 bytes: only then is it another text for the same number
        return (larger if larger < 1 << 3072 else number ^ 1).to_bytes(forge.KEY_B, "big")

    for version in range(7, 15):
        assert take_bundle(forge.case(forge.bundle(sign=sign, version=version)))[0] == "wrong_signature"


def test_a_key_that_no_device_knows_is_refused(take_bundle):
    assert take_bundle(forge.case(forge.bundle(key="C")))[0] == "unknown_key"


def test_a_signature_by_another_key_under_a_known_name_is_refused(take_bundle):
    data = forge.bundle(sign=lambda _key, signed: forge.right_signature("C", signed))
    assert take_bundle(forge.case(data))[0] == "wrong_signature"


def test_a_retired_key_signs_nothing_any_more_and_the_other_still_does(take_bundle):
    assert take_bundle(forge.case(forge.bundle(key="A"), retired="A"))[0] == "unknown_key"
    assert take_bundle(forge.case(forge.bundle(key="B"), retired="A"))[0] is None


def test_a_key_retires_the_other_but_never_itself(take_bundle):
    assert take_bundle(forge.case(forge.bundle(retires=forge.key_id("B").hex())))[0] is None
    assert take_bundle(forge.case(forge.bundle(retires=forge.key_id("A").hex())))[0] == "bad_format"


def test_a_spoilt_file_of_keys_trusts_nobody(take_bundle):
    case = forge.case(forge.bundle())
    case["keys"] = [key[:-2] + "00" for key in case["keys"]] + [case["keys"][0][:-2], ""]
    assert take_bundle(case)[0] == "unknown_key"


FITNESS = {
    "another board": ({}, {"board": "lilygo_t_a7670"}, "wrong_board"),
    "another MicroPython": ({}, {"micropython": "1.27.0"}, "wrong_micropython"),
    "a MicroPython whose number only begins alike": ({}, {"micropython": "1.260.0"}, "wrong_micropython"),
    "a newer release runs": ({}, {"running": 8}, "older"),
    "this release runs": ({}, {"running": 7}, "older"),
    "a step between is missing": ({"follows": 5}, {"running": 4}, "base_mismatch"),
    "expired": ({}, {"now_ms": forge.EXPIRES_MS + 1}, "expired"),
    "no room": ({}, {"room_b": 100}, "too_large"),
    "another base version": (BASE, {"tree": "ab" * 32, "running": 5}, "base_mismatch"),
    "another base tree": (BASE, {"tree": "ac" * 32}, "base_mismatch"),
    "no base at all": (BASE, {"tree": None}, "base_mismatch"),
}


@pytest.mark.parametrize("name", FITNESS)
def test_a_release_that_does_not_fit_is_refused_with_its_reason(take_bundle, name):
    made, device, reason = FITNESS[name]
    assert take_bundle(forge.case(forge.bundle(**made), **device)) == [reason, [], None]


BARELY = {
    "the last millisecond": ({}, {"now_ms": forge.EXPIRES_MS}),
    "a clock that is not known": ({}, {"now_ms": None}),
    "the lowest version that it follows": ({"follows": 6}, {}),
    "just room enough": ({}, {"room_b": sum(map(len, forge.FILES.values()))}),
    "a MicroPython listed in full": ({"micropython": ["1.27.0"]}, {"micropython": "1.27.0"}),
}


@pytest.mark.parametrize("name", BARELY)
def test_a_release_that_barely_fits_is_taken(take_bundle, name):
    made, device = BARELY[name]
    assert take_bundle(forge.case(forge.bundle(**made), **device))[0] is None


def test_a_file_of_another_release_is_found_out(take_bundle):
    data = forge.bundle()
    other = data[:-1] + b"X"
    assert take_bundle(forge.case(other)) == ["mixed_files", [], None]


def test_two_files_that_changed_places_are_found_out(take_bundle):
    files = {"lib/a.mpy": b"one", "lib/b.mpy": b"two"}
    data = forge.bundle(files)
    assert take_bundle(forge.case(data[:-6] + b"twoone"))[0] == "mixed_files"


def test_bytes_without_end_behind_the_last_file_are_not_read_on(take_bundle):
    assert take_bundle({**forge.case(forge.bundle()), "more": "00"}) == [
        "too_large",
        *take_bundle(forge.case(forge.bundle()))[1:],
    ]


def test_a_file_that_goes_on_beyond_its_size_is_refused():
    incoming = bundle.Incoming(3, hashlib.sha256(b"abc").digest())
    incoming.feed(b"ab")
    with pytest.raises(bundle.Refused, match="too_large"):
        incoming.feed(b"cd")


# Damage of any kind


@RUNS
@given(at=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_no_single_bit_may_differ(micropython, at, bit):
    case = {**forge.case(forge.bundle()), "damage": [[at, 1 << bit]]}
    answer = driver.run(case)
    assert answer[0] in ("bad_format", "unknown_key", "wrong_signature", "truncated", "mixed_files")
    assert micropython.call("bundle", case) == answer


@RUNS
@given(part=st.integers(0, 1000))
def test_no_truncation_is_taken(micropython, part):
    data = forge.bundle()
    case = {**forge.case(data), "cut": len(data) * part // 1001}
    answer = driver.run(case)
    assert answer == ["truncated", [], None]
    assert micropython.call("bundle", case) == answer


@RUNS
@given(st.binary(max_size=600), st.booleans())
def test_bytes_of_any_kind_are_refused_and_never_crash(micropython, noise, with_a_head):
    data = forge.bundle()
    case = forge.case(data[: 16 if with_a_head else 0] + noise)
    answer = driver.run(case)
    assert answer[0] in ("bad_format", "truncated", "wrong_signature")
    assert micropython.call("bundle", case) == answer


# What it costs

_IN_A_SMALL_HEAP = """
import sys
sys.path[:] = [{path!r}]
import bundle
key = open({path!r} + "/key", "rb").read()
found = bundle.Bundle(open({path!r} + "/release", "rb"))
found.verify([key])
reason = found.check("unix", "1.26.1", 6)
print(reason, sum(1 for row in found.files()))
"""


def test_a_release_of_many_files_is_judged_in_24_kib_of_heap(micropython32, tmp_path):
    files = {f"lib/terminal/part_{number:03}.mpy": bytes([number]) for number in range(120)}
    (tmp_path / "release").write_bytes(forge.bundle(files))
    (tmp_path / "key").write_bytes(forge.public())
    source = FIRMWARE / "terminal" / "bundle.py"
    toolchain.run([toolchain.mpy_cross(), "-O3", "-o", tmp_path / "bundle.mpy", source])
    code = _IN_A_SMALL_HEAP.format(path=str(tmp_path))
    assert toolchain.run([micropython32, "-X", "heapsize=24K", "-c", code]) == "None 120\n"
