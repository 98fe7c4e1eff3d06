"""The interlock's records as bytes: whole or not at all, and the same bytes from both interpreters."""

import pytest
from drivers import records as driver
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from terminal import recall, records
from terminal.interlock import Interlock

RUNS = settings(
    max_examples=120,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
JOBS = st.one_of(st.none(), st.text(st.characters(exclude_categories=["Cs"], max_codepoint=0xFFFF), min_size=1, max_size=21))
ORDERS = st.lists(
    st.tuples(st.sampled_from([f"id{k}" for k in range(60)]), st.integers(0, 1), st.integers(0, 7)),
    max_size=32,
    unique_by=lambda order: order[:2],
)
KEPT = st.tuples(st.lists(st.booleans(), min_size=4, max_size=4), st.integers(0, 14), JOBS, ORDERS)
AGE = st.integers(-1, 10**9)


def possible(ages):
    """Make five ages agree: nobody was still for longer than the state lasts, no wait for an emergency either."""
    since_s, emergency_s, sum_s, still_s, unpowered_s = max(0, ages[0]), *ages[1:]  # a state has always begun
    return [since_s, emergency_s, sum_s if emergency_s >= 0 else max(0, min(sum_s, since_s)), min(still_s, since_s), unpowered_s]


VOLATILE = st.tuples(
    st.sampled_from(records.STATES),
    st.integers(0, 255),
    st.lists(AGE, min_size=5, max_size=5).map(possible),
    st.lists(st.integers(0, 599), max_size=3),
    JOBS,
)
RECORD = st.one_of(KEPT.map(lambda f: ("kept", f)), VOLATILE.map(lambda f: ("volatile", f)))
DAMAGE = st.lists(st.tuples(st.integers(0, 400), st.integers(1, 255)), min_size=1, max_size=1)


@RUNS
@given(KEPT)
def test_kept_comes_back_as_it_was(micropython, fields):
    flags, over, job, orders = fields
    case = {"kept": [flags, over, job, [list(order) for order in orders]]}
    data, back = driver.run(case)
    assert back == [flags, over, job, [order[2] for order in orders]]
    assert len(data) <= 2 * 363
    assert micropython.call("records", case) == [data, back]


@RUNS
@given(VOLATILE)
def test_volatile_comes_back_as_it_was(micropython, fields):
    case = {"volatile": list(fields)}
    data, back = driver.run(case)
    assert back == list(fields)
    assert len(data) <= 2 * 102
    assert micropython.call("records", case) == [data, back]


@RUNS
@given(RECORD, DAMAGE)
def test_a_changed_byte_is_never_accepted(micropython, record, damage):
    case = {record[0]: list(record[1]), "damage": [list(change) for change in damage]}
    answer = driver.run(case)
    assert answer[1] is None
    assert micropython.call("records", case) == answer


@RUNS
@given(RECORD, st.integers(0, 120), st.sampled_from(["", "00", "ff", "00000000"]))
def test_a_record_cut_short_or_grown_is_never_accepted(record, cut, more):
    whole = driver.run({record[0]: list(record[1])})[0]
    data, back = driver.run({record[0]: list(record[1]), "cut": cut, "more": more})
    assert (back is None) == (data != whole)


def example_records():
    lock = Interlock({})
    lock.boot(0)
    lock.command(1, 0, "a", None, None, "platform", True)
    lock.command(5, 1, "b", "焊接-1")
    return lock.kept(), lock.volatile(9)


@pytest.mark.parametrize("which", [0, 1])
def test_no_single_bit_and_no_cut_of_a_real_record_is_accepted(which):
    data = example_records()[which]
    unpack = (recall.unpack_kept, recall.unpack_volatile)[which]
    assert unpack(data) is not None
    for at in range(len(data)):
        assert unpack(data[:at]) is None
        for bit in range(8):
            assert unpack(data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :]) is None


@pytest.mark.parametrize("which", [0, 1])
def test_neither_record_is_taken_for_the_other(which):
    data = example_records()[1 - which]
    assert (recall.unpack_kept, recall.unpack_volatile)[which](data) is None


def test_a_record_of_another_version_is_as_good_as_none():
    kept = example_records()[0]
    body = b"HK\x02" + kept[3:-4]
    assert recall.unpack_kept(records.seal(body)) is None


def test_a_sealed_record_with_impossible_numbers_is_not_read():
    volatile = example_records()[1]
    assert recall.unpack_volatile(records.seal(volatile[:3] + b"\x04" + volatile[4:-4])) is None  # state
    kept = example_records()[0]
    assert recall.unpack_kept(records.seal(kept[:5] + b"\x21" + kept[6:-4])) is None  # 33 orders


def test_a_sealed_record_whose_job_does_not_fill_it_is_not_read():
    for data, unpack in zip(example_records(), (recall.unpack_kept, recall.unpack_volatile), strict=True):
        assert unpack(records.seal(data[:-5])) is None
        assert unpack(records.seal(data[:-4] + b"x")) is None


def test_a_job_of_64_bytes_is_kept_and_a_longer_one_is_not_read():
    for size, job in ((64, "J" * 64), (65, None)):
        data = driver.run({"kept": [[False, False, False, True], 0, "J" * size, []]})[0]
        fields = recall.unpack_kept(bytes.fromhex(data))
        assert (fields and fields[2]) == job


def test_a_job_that_does_not_decode_takes_no_ban_down_with_it():
    kept = bytes.fromhex(driver.run({"kept": [[True, False, False, True], 0, "焊", []]})[0])
    data = records.seal(kept[:-5] + b"\xff")
    flags, _over, job, _rows = recall.unpack_kept(data)
    assert (flags, job) == ([True, False, False, True], None)
