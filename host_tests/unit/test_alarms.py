"""The alarms: each begins once and ends once, and says in two languages what it is."""

import pytest
from drivers import alarms as driver
from hypothesis import given, settings
from hypothesis import strategies as st

from terminal import alarms
from terminal.alarm_kinds import KINDS, row

NAMES = [line.split("|")[0] for line in "".join(KINDS).split("\n") if line]


def play(*steps):
    """Replay on CPython; step n happens at n seconds."""
    return driver.run({"steps": [list(step) for step in steps]})


def test_the_kinds_are_those_the_authority_is_told_of():
    assert sorted(NAMES) == [
        "clock",
        "config_broken",
        "contact_failed",
        "contact_stuck",
        "emergency",
        "flash",
        "overtemperature",
        "records_dropped",
        "sim_changed",
        "tamper",
        "untrusted",
        "welding_while_unpowered",
    ]


def test_every_kind_has_a_severity_and_both_texts_the_most_severe_first():
    rows = [row(name) for name in NAMES]
    assert [found[0] for found in rows] == list(range(len(NAMES)))
    assert [found[1] for found in rows] == sorted(found[1] for found in rows)
    assert all(found[1] in (1, 2, 3) and found[2] and found[3].isascii() for found in rows)


def test_a_kind_that_is_not_in_the_table_is_refused_even_where_it_ends_one_that_is():
    for kind in ("nonesuch", "stuck", ""):
        with pytest.raises(KeyError):
            row(kind)


def test_an_alarm_is_reported_when_it_begins_and_when_it_ends_with_both_times():
    result = play(("begin", "tamper", "case open"), ("end", "tamper", None))
    first, last = result["reports"]
    assert (first["kind"], first["start"], first["detail"], first["severity"]) == (
        "tamper",
        0,
        "case open",
        1,
    )
    assert "end" not in first
    assert (last["start"], last["end"]) == (0, 1000)
    assert result["active"] == [["tamper"], []]


def test_an_alarm_that_is_on_is_not_reported_again():
    result = play(("begin", "clock", None), ("note", "clock", True), ("begin", "clock", "again"))
    assert len(result["reports"]) == 1


def test_an_alarm_that_is_off_does_not_end():
    assert play(("end", "clock", None), ("note", "clock", False))["reports"] == []


def test_an_alarm_may_come_again_with_its_new_beginning():
    result = play(*[("note", "clock", is_on) for is_on in (True, False, True)])
    assert [report["start"] for report in result["reports"]] == [0, 0, 2000]


def test_the_alarms_in_force_are_named_the_most_severe_first():
    assert play(("begin", "clock", None), ("begin", "contact_stuck", None))["active"][-1] == [
        "contact_stuck",
        "clock",
    ]


def test_a_kind_nobody_knows_is_a_mistake():
    with pytest.raises(KeyError):
        play(("begin", "weather", None))


def test_overtemperature_ends_ten_degrees_below_where_it_began():
    readings = (84, 85, 86, 84, None, 76, 75, 84)
    result = play(*[("celsius", celsius, 85) for celsius in readings])
    hot = [active == ["overtemperature"] for active in result["active"]]
    assert hot == [False, True, True, True, True, True, False, False]
    assert [report["detail"] for report in result["reports"]] == ["85 °C", "75 °C"]


def test_the_log_says_in_english_what_begins_and_ends():
    result = play(("begin", "sim_changed", "8986"), ("end", "sim_changed", None))
    assert result["log"] == [
        "alarm sim_changed begins: another SIM than the provisioned one (8986)",
        "alarm sim_changed ends: another SIM than the provisioned one",
    ]


def test_an_alarm_goes_out_without_its_text_when_the_file_system_is_dead(monkeypatch):
    def broken(_):
        raise OSError(5)

    monkeypatch.setattr(alarms, "borrow", broken)
    first, last = play(("begin", "contact_stuck", None), ("end", "contact_stuck", None))["reports"]
    assert (first["kind"], first["start"], first["text"]) == ("contact_stuck", 0, None)
    assert last["end"] == 1000


def test_an_alarm_that_finds_no_memory_to_be_reported_begins_the_next_time(monkeypatch):
    reports = []
    book = alarms.Alarms(lambda: (0, 1, 0), reports.append, lambda text: None)
    build = alarms.protocol.alarm
    monkeypatch.setattr(alarms.protocol, "alarm", _full)
    with pytest.raises(MemoryError):
        book.note("tamper", True)
    assert book.active() == []
    monkeypatch.setattr(alarms.protocol, "alarm", build)
    book.note("tamper", True)
    assert [report["kind"] for report in reports] == book.active() == ["tamper"]


def _full(*_):
    raise MemoryError


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(st.just("note"), st.sampled_from(NAMES), st.booleans()), max_size=30))
def test_beginnings_and_ends_alternate_for_each_kind_and_micropython_agrees(micropython, steps):
    case = {"steps": [list(step) for step in steps]}
    result = driver.run(case)
    assert micropython.call("alarms", case) == result
    for kind in NAMES:
        ends = ["end" in report for report in result["reports"] if report["kind"] == kind]
        assert ends == [index % 2 == 1 for index in range(len(ends))]
