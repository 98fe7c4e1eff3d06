"""Heads and lists of bundles that even a right signature does not make right: refused as a whole, alike on both interpreters."""

import hashlib

import pytest
from drivers import bundle as driver
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from host_tests.release import forge
from terminal import bundle

HEAD = forge.HEAD_B

NAMES_OUTSIDE = [
    "", "/", "/lib/a.mpy", "../a.mpy", "lib/../a.mpy", "lib/..", ".", "..", "lib/./a.mpy", "lib//a.mpy", "lib/", "boot.py",
    "lib\\a.mpy", "lib/a\x00.mpy", "lib/a b.mpy", "lib/焊.mpy", "a" * 97, "C:a.mpy",
]  # fmt: skip
NAMES_INSIDE = ["main.py", "lib/board.mpy", "lib/terminal/profiles/iotda.mpy", "lib/boot.py", "a..b", "..a", ".a", "a" * 96]


def test_names_lie_inside_the_slot_or_are_refused(micropython):
    case = {"names": NAMES_OUTSIDE + NAMES_INSIDE}
    answer = driver.run(case)
    assert answer == [False] * len(NAMES_OUTSIDE) + [True] * len(NAMES_INSIDE)
    assert micropython.call("bundle", case) == answer


@pytest.mark.parametrize("name", [name for name in NAMES_OUTSIDE if name])
def test_a_signed_list_with_a_name_outside_the_slot_is_refused_as_a_whole(take_bundle, name):
    assert take_bundle(forge.case(forge.bundle({"lib/a.mpy": b"a", name: b"b"})))[0] == "bad_format"


# What a careless signer may sign, and a device must survive


def _signed(first, rest=None):
    return forge.seal(first + (forge.rows(forge.FILES) if rest is None else rest)) + b"".join(
        forge.FILES[name] for name in sorted(forge.FILES)
    )


ROWS = forge.rows(forge.FILES).splitlines(keepends=True)
LISTS = {
    "a file twice": b"".join([ROWS[0], ROWS[0], ROWS[2]]),
    "files out of order": b"".join([ROWS[1], ROWS[0], ROWS[2]]),
    "a file too few": b"".join(ROWS[:2]),
    "a file too many": b"".join(ROWS) + forge.line(["z.py", 0, hashlib.sha256(b"").hexdigest()]),
    "a file too large": b"".join(ROWS).replace(b"300", b"301"),
    "a size below 0": b"".join(ROWS).replace(b",300,", b",-30,"),
    "a size that is no whole number": b"".join(ROWS).replace(b",300,", b",3e2,"),
    "a hash too short": b"".join(ROWS)[:-5] + b'"]\n',
    "a hash that is no hex": b"".join(ROWS)[:-8] + b'zzzzz"]\n',
    "no last line's end": b"".join(ROWS)[:-1] + b" ",
    "no JSON": b"".join(ROWS[:2]) + b"[" * 90 + b"\n",
    "no text": b"".join(ROWS[:2]) + b'["\xff' + b"x" * 90 + b'"]\n',
}


@pytest.mark.parametrize("name", LISTS)
def test_a_list_that_does_not_add_up_is_refused(take_bundle, name):
    assert take_bundle(forge.case(_signed(forge.line(forge.facts()), LISTS[name])))[0] == "bad_format"


FACTS = {
    "format": [0, 2, "1", None],
    "version": [0, -1, 1 << 30, True, "7", 7.5, None],
    "follows": [-1, 1 << 30, None],
    "expires_ms": [0, (1 << 48) + 1, "2027", None],
    "bytes": [0, 1 << 30, 5, None],
    "carried_bytes": [-1, 5, None],
    "boards": [None, "unix", [7], {}],
    "micropython": [None, "1.26.1", [None]],
    "carried": [None, "", "11", "1111", "112", "110", "1" * 151, [1, 1, 1]],
    "base": [[], [6], [6, "ab"], ["6", "ab" * 32], [6, "zz" * 32], "ab" * 32, {}, 0],
    "retires": ["", "ab", 7, "zz" * 8],
    "text": [None, 7],
    "kind": [None, "other", []],
}


@pytest.mark.parametrize("name", FACTS)
def test_a_fact_that_is_missing_or_out_of_range_is_refused(take_bundle, name):
    right = forge.facts()
    for value in FACTS[name]:
        assert take_bundle(forge.case(_signed(forge.line({**right, name: value}))))[0] == "bad_format", value
    if right[name] is not None:
        del right[name]
        assert take_bundle(forge.case(_signed(forge.line(right))))[0] == "bad_format"


@pytest.mark.parametrize("first", [b"[]\n", b"7\n", b"\n", b"{\n", b'{"a":1}\n', b'"' + b"x" * 1100 + b'"\n', b"\xff\n"])
def test_a_first_line_that_is_not_facts_is_refused(take_bundle, first):
    assert take_bundle(forge.case(_signed(first)))[0] == "bad_format"


def test_more_files_than_a_device_takes_are_refused(take_bundle):
    files = {f"lib/{number:03}.py": b"x" for number in range(151)}
    short = "".join(f'["{name}",1,"{hashlib.sha256(b"x").hexdigest()}"]\n' for name in sorted(files)).encode()
    data = forge.seal(forge.line(forge.facts(files)) + short)
    assert take_bundle(forge.case(data))[0] == "bad_format"


# Heads


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"at": 0, "new": b"hanm"}, "bad_format"),
        ({"at": 4, "new": b"\x02"}, "bad_format"),
        ({"at": 5, "new": b"\x01"}, "bad_format"),
        ({"at": 6, "new": b"\x00\x00"}, "bad_format"),
        ({"at": 6, "new": b"\x3e\x71"}, "bad_format"),
        ({"at": 6, "new": b"\xff\xff"}, "bad_format"),
        ({"at": 8, "new": bytes(8)}, "unknown_key"),
        ({"at": 16, "new": bytes(384)}, "wrong_signature"),
    ],
)
def test_a_head_with_other_bytes_is_refused(take_bundle, change, reason):
    data = forge.bundle()
    at, new = change["at"], change["new"]
    assert take_bundle(forge.case(data[:at] + new + data[at + len(new) :]))[0] == reason


def test_a_page_of_text_is_no_bundle(take_bundle):
    for text in (b"<!DOCTYPE html><html>", b"", b"H", b"HAN", b"HANM", b"X"):
        reason = "truncated" if b"HANM".startswith(text) else "bad_format"
        assert take_bundle(forge.case(text)) == [reason, [], None]


def test_the_head_alone_says_how_much_there_is_to_read():
    data = forge.bundle()
    manifest_b, key_id, signature = bundle.parse_header(data[:HEAD])
    assert HEAD + manifest_b == HEAD + int.from_bytes(data[6:8], "big")
    assert key_id == forge.key_id()
    assert signature == data[16:HEAD]


def test_everything_needed_to_refuse_fits_into_16_kib():
    assert HEAD + 15984 == 16384
    data = forge.bundle()
    largest = data[:6] + (15984).to_bytes(2, "big") + data[8:]
    assert bundle.parse_header(largest)[0] == 15984


def test_the_two_keys_of_a_device_are_split_and_named():
    data = forge.public("A") + forge.public("B")
    assert list(map(bundle.key_id_of, bundle.split_keys(data))) == [forge.key_id("A"), forge.key_id("B")]


RUNS = settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
_VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(1 << 60), 1 << 60), st.floats(allow_nan=False, allow_infinity=False))
    | st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=8),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=5,
)


@RUNS
@given(st.sampled_from(sorted(forge.facts())), _VALUES)
def test_any_value_of_a_fact_is_survived_once_it_is_signed(micropython, name, value):
    case = forge.case(_signed(forge.line({**forge.facts(), name: value})))
    answer = driver.run(case)
    assert answer[0] is None or answer[0] in {
        "bad_format", "wrong_board", "wrong_micropython", "older", "expired", "too_large", "base_mismatch"
    }  # fmt: skip
    assert micropython.call("bundle", case) == answer
