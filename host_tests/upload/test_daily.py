"""The day's report: came, in without out, exit papers and payments due."""

from datetime import date, datetime

import pytest

from hanma.upload.daily import Calendar, Passage, Team, report, teams_of

DAY = date(2026, 11, 20)  # a Friday


def passage(who, hour, direction, day=DAY):
    return Passage(who, who.upper(), datetime(day.year, day.month, day.day, hour), direction)


def told(passages=(), teams=(), day=DAY, calendar=None):
    return report(day, passages, {}, teams, calendar or Calendar())


def test_who_came_is_counted_once_with_the_first_and_last_time():
    daily = told([passage("a", 18, "2"), passage("a", 7, "1"), passage("b", 8, "1", date(2026, 11, 19))])
    assert daily.came == {"a": ("A", datetime(2026, 11, 20, 7), datetime(2026, 11, 20, 18))}
    assert daily.in_without_out == {}


def test_the_last_passage_tells_who_is_still_inside():
    daily = told([passage("a", 7, "1"), passage("a", 12, "2"), passage("a", 13, "1"), passage("b", 9, "2")])
    assert list(daily.in_without_out) == ["a"]


@pytest.mark.parametrize(
    ("start", "number", "end"),
    [
        (date(2026, 11, 20), 5, date(2026, 11, 27)),
        (date(2026, 11, 21), 1, date(2026, 11, 23)),
        (date(2026, 11, 16), 0, date(2026, 11, 16)),
    ],
)
def test_weekends_are_not_working_days(start, number, end):
    assert Calendar().after(start, number) == end


def test_holidays_and_working_weekends_are_the_sites_word():
    calendar = Calendar([date(2026, 11, 23)], [date(2026, 11, 21)])
    assert calendar.after(date(2026, 11, 20), 2) == date(2026, 11, 24)


def test_exit_papers_are_due_five_working_days_after_the_last_one_left():
    team = Team("T1", last_out=date(2026, 11, 12))
    due = told(teams=[team]).due
    assert [(one.what, one.until, one.late_days) for one in due] == [("exit_papers", date(2026, 11, 19), 1)]
    assert told(teams=[Team("T1", still_in=1, last_out=date(2026, 11, 12))]).due == []
    assert told(teams=[Team("T1", last_out=date(2026, 11, 12), exit_day=DAY)]).due == []


def test_a_payment_past_its_promised_day_is_due_until_it_is_reported_paid():
    due = told(teams=[Team("T1", exit_day=DAY, promised=date(2026, 11, 18))]).due
    assert [(one.what, one.late_days) for one in due] == [("payment", 2)]
    assert told(teams=[Team("T1", exit_day=DAY, promised=date(2026, 11, 18), paid=True)]).due == []


def test_teams_are_told_from_what_was_reported():
    def day(number):
        return date(2026, 11, number)

    entries = [{"person": "a", "team": "T", "day": day(1)}, {"person": "b", "team": "T", "day": day(2)}]
    out = [{"person": "a", "day": day(3)}, {"person": "b", "day": day(5)}]
    assert teams_of(entries, out[:1], [], []) == [Team("T", "", 1, None)]
    assert teams_of(entries, out, [], [], {"T": "班"}) == [Team("T", "班", 0, day(5))]
    back = [*entries, {"person": "a", "team": "T", "day": day(9)}]
    assert teams_of(back, out, [], []) == [Team("T", "", 1, None)]
    papers = [{"team": "T", "day": day(6), "promised": day(10), "settled": False}]
    assert teams_of(entries, out, papers, []) == [Team("T", "", 0, day(5), day(6), day(10), False)]
    assert teams_of(entries, out, papers, [{"team": "T", "settled": True}])[0].paid
