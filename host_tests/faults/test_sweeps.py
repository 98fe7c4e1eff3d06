"""The sweeps find what is planted, find nothing where nothing is, and count only the cuts that left an image of their own."""

import pytest

from host_tests.faults import ledger, sweeps
from host_tests.faults.flash import AFTER, BEFORE, BLOCK, HALF, SCATTERED, SHORT, Flash, PowerCut

_SHORT = {"kind": "sweep", "cases": ["adding", "done and the removal of a segment", "dropping when full"], "stride": 9}
# what is planted in the reference journal: the sweep and the finding that must come of it
_FLAWS = {
    "early": (_SHORT, "lost"),
    "blind": (_SHORT, "lost"),
    "upside_down": (_SHORT, "rank"),
    "forgetful": (_SHORT, "lost"),
    "repeating": (_SHORT, "twice"),
    "mixed": (_SHORT, "order"),
    "hasty": (_SHORT, "lost"),
    "endless": (dict(_SHORT, cases=["all done"]), "stuck"),
    "credulous": ({"kind": "damage", "stride": 11}, "invented"),
}


def test_a_sound_journal_passes_every_sweep(each_micropython):
    for options in (dict(_SHORT, flaw=None), {"kind": "random", "seed": 3, "runs": 20, "flaw": None}):
        result = sweeps.run("outbox", options, micropython=each_micropython)
        assert result["findings"] == []
        assert result["records_made"] == result["records_delivered"] + result["records_dropped_by_rule"] > 0
        assert result["cuts_counted"] > 20


@pytest.mark.parametrize("flaw", _FLAWS)
def test_a_defect_planted_in_the_journal_is_found(flaw):
    options, finding = _FLAWS[flaw]
    assert finding in sweeps.run("outbox", dict(options, flaw=flaw))["names"]


@pytest.mark.parametrize("case", ["adding", "done and the removal of a segment", "sending again after a broken session"])
def test_the_outbox_loses_nothing_at_any_cut(each_micropython, case):
    result = sweeps.run("outbox", {"cases": [case], "stride": 3}, micropython=each_micropython)
    assert result["findings"] == []


def test_a_damaged_segment_of_the_outbox_costs_only_what_was_damaged():
    assert sweeps.run("outbox", {"kind": "damage", "stride": 17})["findings"] == []


def test_the_settings_are_old_or_new_and_whole_after_any_cut(each_micropython):
    result = sweeps.run("config", {}, micropython=each_micropython)
    assert result["findings"] == []
    assert result["cuts_counted"] > 30


@pytest.mark.parametrize("case", ["a ban that stays", "on and off"])
def test_bans_orders_and_boot_numbers_outlive_any_cut(case):
    result = sweeps.run("records", {"cases": [case]})
    assert result["findings"] == []
    assert result["cuts_counted"] > 10


def test_a_sweep_that_breaks_down_says_so():
    with pytest.raises(sweeps.SweepError, match="KeyError"):
        sweeps.run("outbox", {"cases": ["no such case"]})


# ---- the flash


def _torn(tear):
    flash = Flash(2)
    flash.writeblocks(0, b"\x0f" * 64)
    flash.cut_at(1, tear)
    with pytest.raises(PowerCut):
        flash.writeblocks(0, b"\x00" * 64, 64)
    return bytes(flash.image[64:128])


def test_each_tear_leaves_another_image():
    images = {tear: _torn(tear) for tear in (BEFORE, HALF, SHORT, SCATTERED, AFTER)}
    assert images[BEFORE] == b"\xff" * 64
    assert images[AFTER] == bytes(64)
    assert len(set(images.values())) == 5


def test_programming_clears_bits_and_only_an_erase_sets_them():
    flash = Flash(2)
    flash.writeblocks(0, b"\xf0")
    flash.writeblocks(0, b"\x3c")
    assert flash.image[0] == 0x30
    flash.ioctl(6, 0)
    assert bytes(flash.image[:BLOCK]) == b"\xff" * BLOCK
    assert flash.erases == 1


def test_a_dead_flash_takes_nothing_more():
    flash = Flash(2)
    flash.cut_at(1, BEFORE)
    for _ in range(2):
        with pytest.raises(PowerCut):
            flash.writeblocks(0, b"\x00")
    assert flash.image[0] == 0xFF


# ---- the books


def test_the_books_tell_a_lost_record_from_one_dropped_by_rule():
    books = ledger.Ledger()
    for sequence in (1, 2):
        mark, _ = books.new(2, 8)
        books.kept[mark] = (1, sequence)
    books.explain(2, (1, 1), (1, 1), 1)
    books.came_out([])
    assert [name for name, _ in books.findings] == [ledger.LOST]
    assert books.dropped() == [1]


def test_the_books_know_a_record_that_nobody_gave():
    books = ledger.Ledger()
    books.came_out([(1, 1, 1, "FF", b'{"kind":"probe","mark":7}')])
    assert [name for name, _ in books.findings] == [ledger.INVENTED]


def test_an_upgrade_leaves_the_old_release_or_the_new_one_after_any_cut(each_micropython):
    result = sweeps.run("upgrade", {"kind": "power", "cases": ["full"], "stride": 11}, micropython=each_micropython)
    assert result["findings"] == []
    assert result["figures"]["upgrade_cuts"] > 15


def test_attacks_leave_the_old_release_and_are_told():
    cases = ["wrong signature", "slow data", "roll-back to an older release", "freeze: expired", "one changed byte", "endless"]
    result = sweeps.run("upgrade", {"kind": "attacks", "cases": cases})
    assert result["findings"] == []
    assert result["figures"] == {"upgrade_attacks": len(cases)}
