"""What survives power cuts, resets and failing flash; each history runs on CPython and on MicroPython."""

import pytest
from drivers import store as driver
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from terminal.store import StoreError

OLD, MID, NEW = "0a" * 20, "0b" * 300, "0c" * 363


@pytest.fixture
def play(micropython):
    """play(*steps) -> what each step gave."""

    def run(*steps):
        case = [[step] if isinstance(step, str) else list(step) for step in steps]
        given = driver.run(case)
        assert micropython.call("store", case) == given
        return given

    return run


# ---- the kept record


def test_nothing_stored_is_none_and_no_error(play):
    assert play("load_kept")[-1] is None


def test_the_newest_record_comes_back(play):
    assert play(("save_kept", OLD), ("save_kept", NEW), "power_cut", "load_kept")[-1] == NEW


def test_the_two_copies_are_written_in_turn_also_over_boots(play):
    steps = [("save_kept", OLD), "keys", ("save_kept", MID), "keys", "power_cut", "load_kept", ("save_kept", NEW)]
    given = play(*steps, ("damage", "kept0", 30, 1), "power_cut", "load_kept")
    assert (given[1], given[3]) == (["kept0"], ["kept0", "kept1"])
    assert given[-1] == MID  # NEW went over OLD, not over MID


@pytest.mark.parametrize("cut", ["old", "new", "gone", 0, 1, 5, 8, 9, 100, 200])
@pytest.mark.parametrize("before", [[], [OLD], [OLD, MID], [OLD, MID, OLD]])
def test_a_cut_write_leaves_the_record_before_or_the_new_one_whole(play, before, cut):
    steps = [("save_kept", data) for data in before]
    given = play(*steps, ("cut", cut), ("save_kept", NEW), "load_kept", ("save_kept", MID), "power_cut", "load_kept")
    last = before[-1] if before else None
    assert given[len(steps) + 1] == "cut"
    assert given[len(steps) + 2] == (NEW if cut == "new" else last)
    assert given[-1] == MID


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from([None, None, "old", "new", "gone", 0, 3, 9, 12, 20]), max_size=12))
def test_any_row_of_cut_writes_loses_at_most_the_record_being_written(micropython, cuts):
    steps = [["load_kept"]]
    for number, cut in enumerate(cuts):
        arm = [] if cut is None else [["cut", cut]]
        steps += [*arm, ["save_kept", bytes([number] * 16).hex()], ["load_kept"]]
    found = driver.run(steps)
    assert micropython.call("store", steps) == found
    loaded = [value for step, value in zip(steps, found, strict=True) if step == ["load_kept"]]
    for number, cut in enumerate(cuts):
        new = bytes([number] * 16).hex()
        assert loaded[number + 1] == (new if cut in (None, "new") else loaded[number])


@pytest.mark.parametrize("at", range(0, 48))
def test_a_damaged_copy_is_never_taken_and_is_counted(play, at):
    steps = [("save_kept", OLD), ("save_kept", MID), ("damage", "kept1", at * 7, 0x10), "power_cut", "load_kept", "look"]
    given = play(*steps)
    assert given[-2] == OLD
    assert given[-1][1] == 1


def test_two_damaged_copies_are_no_record(play):
    steps = [("save_kept", OLD), ("save_kept", MID), ("damage", "kept0", 3, 1), ("damage", "kept1", 3, 1)]
    given = play(*steps, "power_cut", "load_kept", "look")
    assert (given[-2], given[-1][1]) == (None, 2)


def test_a_broken_copy_is_made_good_by_the_next_save_of_the_same_record(play):
    steps = [("save_kept", OLD), ("save_kept", MID), ("damage", "kept0", 3, 1), "power_cut", "load_kept"]
    given = play(*steps, ("save_kept", MID), ("damage", "kept1", 3, 1), "power_cut", "load_kept")
    assert given[-1] == MID


def test_what_the_newest_copy_holds_is_not_written_again(play):
    given = play(("save_kept", OLD), ("save_kept", OLD), "look", "power_cut", "load_kept", ("save_kept", OLD), "look")
    assert [given[2][2], given[-1][2]] == [1, 0]


@pytest.mark.parametrize("call", ["set", "commit", "get"])
def test_a_failing_flash_is_told_and_the_next_save_is_tried(play, call):
    given = play(("save_kept", OLD), ("fail", call), ("save_kept", NEW), ("save_kept", NEW), "power_cut", "load_kept")
    assert given[2] == {"error": "write"}
    assert given[-1] == NEW


@pytest.mark.parametrize("call", ["commit", "get"])
def test_after_a_failed_save_the_record_before_it_is_written_again(play, call):
    given = play(("save_kept", OLD), ("fail", call), ("save_kept", NEW), ("save_kept", OLD), "power_cut", "load_kept")
    assert given[-1] == OLD


def test_a_write_that_vanishes_is_told(play):
    assert play("forget", ("save_kept", OLD))[-1] == {"error": "lost"}


def test_flash_that_cannot_be_read_is_told_unless_a_copy_is_good(play):
    assert play(("save_kept", OLD), ("fail", "get"), "load_kept")[-1] == {"error": "read"}
    given = play(("save_kept", OLD), ("save_kept", MID), ("fail", "get"), "load_kept", "look")
    assert (given[-2], given[-1][1]) == (MID, 1)


def test_a_record_that_is_too_long_is_refused(play):
    assert play(("save_kept", "00" * 513))[-1] == {"error": "size"}


def test_an_error_of_the_store_is_one_of_the_devices():
    assert issubclass(StoreError, OSError)


# ---- RTC memory


def test_the_resume_record_comes_back_with_its_age(play):
    given = play(("save_volatile", "aabb"), ("wait", 7), "reset", "load_volatile")
    assert given[-1] == ["aabb", 7]


def test_a_power_cut_leaves_no_resume_record(play):
    assert play(("save_volatile", "aabb"), "power_cut", "load_volatile")[-1] == [None, None]


@pytest.mark.parametrize("at", range(0, 32))
def test_a_damaged_rtc_memory_is_not_taken(play, at):
    given = play(
        ("save_volatile", "aabbccdd"), ("mark_intent", "update"), ("damage_rtc", at, 4), "reset", "load_volatile", "look"
    )
    assert given[-2] == [None, None]
    assert given[-1][0] is None


def test_setting_the_clock_makes_the_record_neither_old_nor_young(play):
    steps = [("save_volatile", "aabb"), ("wait", 5), ("set_clock", 846000000), ("wait", 5), "reset", "load_volatile"]
    assert play(*steps)[-1] == ["aabb", 10]
    assert play(*steps, ("set_clock", 845000000), ("wait", 1), "reset", "load_volatile")[-1] == ["aabb", 11]


def test_a_clock_that_ran_backwards_gives_no_age(play):
    assert play(("wait", 100), ("save_volatile", "aabb"), ("wait", -50), "reset", "load_volatile")[-1] == [None, None]


def test_an_intent_is_told_to_the_next_boot_only(play):
    given = play(
        ("save_volatile", "aa"), ("mark_intent", "update"), "reset", "load_volatile", "look", "reset", "load_volatile", "look"
    )
    assert (given[4][0], given[-1][0]) == ("update", None)
    assert given[-2] == ["aa", 0]


def test_an_intent_outlasts_a_later_save_and_can_be_taken_back(play):
    marked = [("mark_intent", "update"), ("save_volatile", "aa")]
    assert play(*marked, "reset", "load_volatile", "look")[-1][0] == "update"
    assert play(*marked, ("mark_intent", ""), "reset", "load_volatile", "look")[-1][0] is None


def test_a_long_intent_is_cut_at_a_character(play):
    assert play(("mark_intent", "升级" * 40), "reset", "load_volatile", "look")[-1][0] == "升级" * 20


def test_what_does_not_fit_into_rtc_memory_is_refused(play):
    assert play(("save_volatile", "00" * 1600))[-1] == {"error": "size"}


# ---- boots


def boot(is_power_on=False):
    return ["reset", "load_volatile", ("begin_boot", is_power_on)]


def crash(count, seconds=20, is_power_on=False):
    """Boots that end unfinished after so many seconds."""
    return [*boot(is_power_on), ("wait", seconds)] * count


def test_boots_are_numbered_over_power_cuts(play):
    given = play(*boot(True), "boots", "power_cut", *boot(True), "boots")
    assert [row[0] for row in (given[3], given[-1])] == [1, 2]


def test_three_unfinished_boots_within_ten_minutes_give_minimal_mode(play):
    assert play(*crash(3), "boots")[-1][1] is False
    assert play(*crash(3), *boot(), "boots")[-1][1] is True
    assert play(*crash(3, 250), *boot(), "boots")[-1][1] is False


def test_power_on_and_brown_out_boots_count_for_it(play):
    brown_out = ["power_cut", "load_volatile", ("begin_boot", True), ("wait", 5)]
    assert play(*brown_out * 4, "boots")[-1][1:] == [True, False]


def test_the_row_is_seen_however_long_the_rtc_has_run_and_up_to_the_tenth_minute(play):
    assert play(("wait", 5000), *crash(3), *boot(), "boots")[-1][1] is True
    assert play(("wait", 5000), *crash(3, 200), *boot(), "boots")[-1][1] is True
    assert play(("wait", 5000), *crash(3, 201), *boot(), "boots")[-1][1] is False


def test_crashes_before_a_brown_out_count_with_those_after_it(play):
    brown_out = ["power_cut", "load_volatile", ("begin_boot", True)]
    assert play(("wait", 5000), *crash(3, 30), *brown_out, "boots")[-1][1] is True
    assert play(("wait", 5000), *crash(2, 30), *brown_out, ("wait", 5), *boot(), "boots")[-1][1] is True
    assert play(("wait", 5000), *crash(1, 30), *brown_out, "finish_boot", *boot(), "boots")[-1][1] is False


def test_a_finished_boot_breaks_the_row(play):
    assert play(*crash(2), *boot(), "finish_boot", *crash(2), *boot(), "boots")[-1][1] is False


def test_a_wanted_reset_is_no_crash(play):
    wanted = [*boot(), ("mark_intent", "update"), ("wait", 5)]
    assert play(*wanted * 6, *boot(), "boots")[-1][1] is False


def test_a_reset_for_a_task_that_kept_dying_is_a_crash(play):
    loop = [*boot(), ("mark_intent", "vital:modem"), ("wait", 5)]
    assert play(*loop * 3, *boot(), "boots")[-1][1:] == [True, False]
    assert play(*loop * 6, *boot(), "boots")[-1][1:] == [True, True]


def test_setting_the_clock_hides_no_crash(play):
    loop = [*boot(), ("wait", 10), ("set_clock", 846000000), ("wait", 5)]
    assert play(*loop, *crash(2), *boot(), "boots")[-1][1] is True


def test_three_crashes_of_minimal_mode_are_a_failed_firmware(play):
    assert play(*crash(3), *crash(2), *boot(), "boots")[-1] == [6, True, False]
    assert play(*crash(3), *crash(3), *boot(), "boots")[-1] == [7, True, True]


def test_a_power_on_between_starts_the_crashes_of_minimal_mode_again(play):
    assert play(*crash(3), *crash(2), "power_cut", *crash(1, 20, True), *boot(), "boots")[-1][2] is False
    turned_off_and_on = ["power_cut", "load_volatile", ("begin_boot", True), ("wait", 5)]
    assert play(*crash(3), *turned_off_and_on * 9, "boots")[-1][2] is False


def test_a_finished_boot_ends_minimal_mode_and_its_crashes(play):
    given = play(*crash(6), *boot(), "finish_boot", *boot(), "boots")
    assert given[-1][1:] == [False, False]


def test_a_count_that_cannot_be_kept_is_told_and_the_boot_goes_on(play):
    given = play("load_volatile", ("fail", "set"), ("begin_boot", True), "boots")
    assert given[-2:] == [{"error": "write"}, [1, False, False]]
    given = play("load_volatile", ("begin_boot", True), "reset", ("fail", "get"), ("begin_boot", True), "boots")
    assert given[-2] == {"error": "read"}
    assert given[-1][1:] == [False, False]


# ---- the last minute known


def test_the_minute_noted_last_is_told_after_a_power_cut(play):
    assert play("alive_ms")[-1] is None
    assert play(("note_alive", 1790000059), "power_cut", "alive_ms")[-1] == 1790000040000


def test_a_minute_that_cannot_be_noted_leaves_the_one_before(play):
    given = play(("note_alive", 60), ("fail", "set"), ("note_alive", 120), "power_cut", "alive_ms")
    assert given[-1] == 60000


# ---- identity


def test_the_identity_is_read_as_text(play):
    given = play(("provision", "device_id", b"hm-1".hex()), ("provision", "secret", "密".encode().hex()), "identity")
    assert given[-1] == {"device_id": "hm-1", "secret": "密"}


def test_a_terminal_that_was_never_provisioned_has_none(play):
    assert play("identity")[-1] == {"device_id": None, "secret": None}


def test_an_identity_that_cannot_be_read_is_told(play):
    assert play(("provision", "device_id", "ff"), "identity")[-1] == {"error": "text"}
    assert play(("fail", "get"), "identity")[-1] == {"error": "read"}
    assert play(("provision", "device_id", "61" * 300), "identity")[-1] == {"error": "read"}
