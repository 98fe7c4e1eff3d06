"""The voice: the urgent first, nothing said twice or too late, silence where the modem has no voice."""

import pytest
from drivers import voice as driver
from drivers.reasons import REASONS
from hypothesis import given, settings
from hypothesis import strategies as st

from modem import simcom_speech
from terminal import interlock, phrases, voice
from terminal.numerals import minutes, number, spelt
from terminal.phrases import phrase

SPEAK = ["speak"]
PHRASES = {row.split("|")[0]: row.split("|")[1:] for row in "".join(phrases.PHRASES).split()}  # [urgency, text, timed]


def say(*names, minutes_left=None):
    return [["announce", name, minutes_left] for name in names]


def live(*steps, outcomes=("ok",), phone=""):
    """Replay on CPython; return the driver's result."""
    return driver.run({"steps": list(steps), "outcomes": list(outcomes), "phone": phone})


def texts(result):
    return [text for _, text in result["said"]]


def test_every_reason_but_ok_has_its_phrase():
    assert set(REASONS) - {"ok"} <= set(PHRASES)


def test_every_change_by_time_of_the_interlock_has_its_notice():
    notices = {what.lower() + "_soon" for what in interlock.CHANGES.split()}
    assert len(notices) == 7
    assert notices <= set(PHRASES)


def test_a_phrase_is_found_by_its_whole_name():
    assert phrase("emergency", None, "") == (0, "已进入应急模式，焊机已通电，请注意安全")
    assert phrase("no_sim", 2, "") == (2, "未检测到电话卡，两分钟后进入应急模式")
    for name in ("soon", "sim", "nonesuch", ""):
        with pytest.raises(KeyError):
            phrase(name, None, "")


def test_every_phrase_fits_into_one_command_with_telephone_and_minutes():
    for _, text, timed in PHRASES.values():
        longest = (timed or text).format(minutes(1440)) + "，服务电话" + spelt("0" * 20)
        assert len(longest) * 4 <= simcom_speech.DIGITS


@pytest.mark.parametrize(
    ("value", "spoken"),
    [
        (0, "零"),
        (1, "一"),
        (2, "二"),
        (10, "十"),
        (15, "十五"),
        (20, "二十"),
        (42, "四十二"),
        (100, "一百"),
        (101, "一百零一"),
        (110, "一百一十"),
        (240, "二百四十"),
        (1005, "一千零五"),
        (1010, "一千零一十"),
        (1440, "一千四百四十"),
        (9999, "九千九百九十九"),
    ],
)
def test_numbers_are_spoken_as_people_speak_them(value, spoken):
    assert number(value) == spoken


def test_two_minutes_are_liang_and_twelve_are_not():
    assert (minutes(2), minutes(12), minutes(10)) == ("两分钟", "十二分钟", "十分钟")


def test_a_telephone_number_is_spelt():
    assert spelt("023-110") == "零二三幺幺零"


def test_the_minutes_until_the_emergency_are_spoken():
    result = live(*say("no_network", minutes_left=9), SPEAK, *say("no_network"), SPEAK)
    assert texts(result) == ["暂无网络，九分钟后进入应急模式", "暂无网络，请稍候"]


def test_less_than_a_minute_is_spoken_as_one():
    assert texts(live(*say("no_network", minutes_left=0), SPEAK)) == ["暂无网络，一分钟后进入应急模式"]


def test_the_telephone_is_named_where_somebody_has_to_be_called():
    result = live(*say("refused", "not_scanned"), SPEAK, phone="110")
    assert texts(result) == ["平台拒绝终端接入，焊机不能通电，服务电话幺幺零", "请扫码登记后作业"]


def test_the_urgent_is_spoken_first_and_equals_in_their_order():
    names = ("welcome", "not_scanned", "switched_off", "network_back", "idle_soon")
    result = live(*say(*names), SPEAK)
    assert result["waiting"] == [["idle_soon", "switched_off", "not_scanned", "network_back", "welcome"]]
    assert texts(result) == [PHRASES[name][1] for name in result["waiting"][0]]


def test_a_phrase_that_waits_is_not_queued_again_but_brought_up_to_date():
    steps = say("no_network", minutes_left=9) + say("welcome") + say("no_network", minutes_left=8)
    assert texts(live(*steps, SPEAK)) == ["暂无网络，八分钟后进入应急模式", PHRASES["welcome"][1]]


def test_a_full_queue_loses_the_least_urgent():
    names = [name for name in PHRASES if PHRASES[name][0] == "0"] + ["welcome", "switched_on"]
    result = live(*say(*names), SPEAK)
    assert len(result["waiting"][0]) == 8
    assert "welcome" not in result["waiting"][0]
    assert result["counters"]["unspoken"] == len(names) - 8


def test_what_has_become_untrue_is_not_spoken():
    result = live(*say("idle_soon"), ["pass", 46], *say("welcome"), SPEAK)
    assert texts(result) == [PHRASES["welcome"][1]]


def test_a_modem_that_is_still_starting_is_asked_again():
    result = live(*say("welcome"), SPEAK, outcomes=["timeout", "modem_dead", "ok"])
    assert result["said"] == [[6, PHRASES["welcome"][1]]]


def test_a_modem_that_stays_away_is_not_asked_for_ever():
    result = live(*say("welcome"), SPEAK, outcomes=["timeout"])
    assert result["said"] == []
    assert result["counters"]["unspoken"] == 1
    assert result["available"]


def test_a_phrase_that_failed_at_first_is_not_lost_behind_a_later_one():
    steps = say("no_network", minutes_left=9)
    result = live(*steps, SPEAK, *say("welcome"), SPEAK, outcomes=["busy", "ok"])
    assert texts(result) == ["暂无网络，九分钟后进入应急模式", PHRASES["welcome"][1]]


def test_a_modem_without_a_voice_is_left_alone_and_the_log_says_so_once():
    result = live(*say("welcome", "online"), SPEAK, *say("refused"), SPEAK, outcomes=["unsupported"])
    assert result["said"] == []
    assert len(result["log"]) == 1
    assert result["waiting"][1] == []
    assert not result["available"]


def test_one_refusal_at_the_start_does_not_silence_the_terminal():
    result = live(*say("welcome"), SPEAK, outcomes=["unsupported", "unsupported", "ok"])
    assert texts(result) == [PHRASES["welcome"][1]]
    assert result["available"]


def test_an_announcement_never_fails_its_caller_whatever_has_become_of_the_files(monkeypatch):
    def broken(_):
        raise ImportError

    monkeypatch.setattr(voice, "borrow", broken)
    room = voice.Voice(None, ValueError, driver.Clock(), "", print)
    for _ in range(100):
        room.announce("switched_on")
    with pytest.raises(ImportError):
        room.take_in()
    monkeypatch.undo()
    room.take_in()
    assert driver.names(room) == ["switched_on"]


def test_announcements_nobody_looks_up_are_bounded():
    room = voice.Voice(None, ValueError, driver.Clock(), "", print)
    for name in PHRASES:
        room.announce(name)
    room.take_in()
    assert room.counters["unspoken"] == len(PHRASES) - len(driver.names(room))
    assert len(driver.names(room)) == 8


STEP = st.one_of(
    st.tuples(st.just("announce"), st.sampled_from(sorted(PHRASES)), st.one_of(st.none(), st.integers(0, 1440))),
    st.tuples(st.just("pass"), st.integers(0, 60)),
    st.just(("speak",)),
)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(STEP, max_size=20),
    st.lists(st.sampled_from(["ok", "busy", "unsupported"]), min_size=1, max_size=5),
)
def test_micropython_speaks_alike_and_never_a_phrase_later_than_it_is_true(micropython, steps, outcomes):
    case = {"steps": [list(step) for step in steps], "outcomes": outcomes}
    result = driver.run(case)
    assert micropython.call("voice", case) == result
    assert len(result["said"]) <= sum(step[0] == "announce" for step in steps)
    assert all(len(waiting) <= 8 for waiting in result["waiting"])


def test_micropython_counts_in_chinese_alike(micropython):
    case = {"numbers": list(range(0, 130)) + list(range(130, 9999, 97))}
    assert micropython.call("voice", case) == driver.run(case)
