"""The day's report for a site: who came, who went in and was not seen to leave, what the platform took, what is due.

Pure: it takes what was recorded and gives a Daily, which the screen prints and a workbook keeps. Times are local to the site.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, timedelta

IN = "1"
EXIT_PAPERS_DAYS = 5  # working days after the last worker of a team left


@dataclass(frozen=True)
class Passage:
    """One passing of the gate. who: what tells persons apart; label: masked, for people."""

    who: str
    label: str
    at: object
    direction: str


@dataclass(frozen=True)
class Team:
    """What is known of a team. still_in: workers who entered and did not leave; last_out: the day the last one left.
    exit_day: its exit papers; promised: the day by which the rest is to be paid; paid: whether it was reported paid."""

    code: str
    name: str = ""
    still_in: int = 0
    last_out: date | None = None
    exit_day: date | None = None
    promised: date | None = None
    paid: bool = False


@dataclass(frozen=True)
class Due:
    """Something that is due: what (exit_papers, payment), the team, its last day, and how many days late."""

    what: str
    team: Team
    until: date
    late_days: int


@dataclass
class Daily:
    """One day's report. first and last: label → time of the first and last passage; counts: table → state → number."""

    day: date
    came: dict = field(default_factory=dict)
    in_without_out: dict = field(default_factory=dict)
    counts: dict = field(default_factory=dict)
    due: list = field(default_factory=list)


class Calendar:
    """Working days: Monday to Friday, but for the holidays and with the working weekends that the site states."""

    def __init__(self, holidays=(), working_weekends=()):
        self._holidays, self._working = frozenset(holidays), frozenset(working_weekends)

    def works(self, day):
        """Return whether that day is a working day."""
        return day in self._working or (day.weekday() < 5 and day not in self._holidays)

    def after(self, day, number):
        """Return the day that is so many working days after that one."""
        while number:
            day += timedelta(days=1)
            number -= self.works(day)
        return day


def report(day, passages, counts, teams, calendar):
    """Return the Daily of that day. passages: of any days; counts: table → state → number; teams: Team."""
    today = sorted((one for one in passages if one.at.date() == day), key=lambda one: one.at)
    came = {}
    for one in today:
        came.setdefault(one.who, (one.label, []))[1].append(one)
    return Daily(
        day,
        {who: (label, times[0].at, times[-1].at) for who, (label, times) in came.items()},
        {who: (label, times[-1].at) for who, (label, times) in came.items() if times[-1].direction == IN},
        counts,
        sorted(_due(day, teams, calendar), key=lambda one: one.until),
    )


def _due(day, teams, calendar):
    for team in teams:
        if team.last_out and not team.still_in and not team.exit_day:
            until = calendar.after(team.last_out, EXIT_PAPERS_DAYS)
            yield Due("exit_papers", team, until, (day - until).days)
        if team.promised and not team.paid:
            yield Due("payment", team, team.promised, (day - team.promised).days)


def teams_of(entries, exits, papers, payrolls, names=None):
    """Return the Teams told by the bodies of worker_enter, worker_out, team_exit and team_payroll.

    Each is a sequence of dicts with plain keys: entries {person, team, day}, exits {person, day}, papers {team, day,
    promised, settled}, payrolls {team, settled}. names: team → name.
    """
    team_of, left = {}, defaultdict(lambda: date.min)
    entered = {}
    for one in sorted(entries, key=lambda one: one["day"]):
        team_of[one["person"]], entered[one["person"]] = one["team"], one["day"]
    for one in exits:
        left[one["person"]] = max(left[one["person"]], one["day"])
    members = defaultdict(list)
    for person, team in team_of.items():
        members[team].append(person)
    paper = {one["team"]: one for one in papers}
    paid = {one["team"] for one in payrolls if one["settled"]} | {one["team"] for one in papers if one["settled"]}
    return [_team(code, members[code], entered, left, paper.get(code), code in paid, names or {}) for code in {*members, *paper}]


def _team(code, persons, entered, left, paper, paid, names):
    inside = [one for one in persons if left[one] < entered[one]]
    last = max((left[one] for one in persons), default=None)
    return Team(
        code,
        names.get(code, ""),
        len(inside),
        None if inside or not persons else last,
        paper and paper["day"],
        paper and paper["promised"],
        paid,
    )
