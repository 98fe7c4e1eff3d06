"""Judges an upload from the stand-in's ledger alone: is every row of the site there, once, as the site has it?

Shares nothing with the uploader: which fields say what a record is, and what a typed word is on the wire, is written
here again. Pure: rows and ledger entries in, a Verdict out.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import NamedTuple

_NO_RECORDS = ("token", "check")
_DIRECTIONS = {"进场": 1, "出场": 2}
_ON_THE_WIRE = {"dktype": _DIRECTIONS.get, "temperature": lambda text: text and float(text), "idcard": str}


class Kind(NamedTuple):
    """One endpoint: the sheet its rows stand in, the fields that say which record it is, and those compared beside them."""

    sheet: str
    identity: tuple
    compared: tuple


KINDS = {
    "team": Kind("班组数据", ("teamcode",), ("teamname", "unitcode", "teamleader", "phone", "IDCard")),
    "worker_enter": Kind(
        "劳务人员进场信息",
        ("idcard", "enterdate"),
        ("labourername", "mobilenumber", "teamcode", "worktype", "homeadrress", "presentaddress"),
    ),
    "gate": Kind("闸机数据接入", ("ryno", "dktime", "dktype", "deviceCode"), ("name", "temperature", "attendtype", "worktype")),
    "dust": Kind("扬尘噪声数据接入", ("devicecode", "jctime"), ("pm25", "pm10", "noise")),
    "worker_out": Kind("劳务人员撤场数据", ("idcardnum", "outdate"), ("name", "outevaluate")),
}


@dataclass
class Count:
    """One endpoint's account: rows of the site, bodies taken, bodies taken beside a row's own by a stated rule."""

    rows: int = 0
    taken: int = 0
    explained: int = 0


@dataclass
class Verdict:
    """counts: endpoint → Count. findings: what no rule explains, in words; empty when all is well."""

    counts: dict = field(default_factory=lambda: defaultdict(Count))
    findings: list = field(default_factory=list)


def record_of(endpoint, row):
    """Return ((endpoint, identity), facts) of a row that a clerk typed (field → text)."""
    kind = KINDS[endpoint]
    typed = {name: _ON_THE_WIRE.get(name, lambda text: text)(row.get(name)) for name in kind.identity + kind.compared}
    return _split(endpoint, typed)


def _split(endpoint, body):
    kind = KINDS[endpoint]
    identity = tuple(body.get(name) for name in kind.identity)
    return (endpoint, identity), {name: body.get(name) for name in kind.compared}


def taken_of(entries):
    """Return (endpoint, identity) → the facts of each body the stand-in took, in the order it took them."""
    found = defaultdict(list)
    for entry in entries:
        if entry["taken"] and entry["endpoint"] not in _NO_RECORDS:
            key, facts = _split(entry["endpoint"], entry["body"]) if entry["endpoint"] in KINDS else ((entry["endpoint"], ()), {})
            found[key].append(facts)
    return found


def judge(sheets, entries, explained=None):
    """Return the Verdict on the rows of the site (sheet → rows) and a stand-in's ledger.

    explained: (endpoint, identity) → facts that a stated rule put there before the row's own (what a correction replaced).
    """
    verdict, taken, explained = Verdict(), taken_of(entries), explained or {}
    for endpoint, kind in KINDS.items():
        for row in sheets.get(kind.sheet, ()):
            key, facts = record_of(endpoint, row)
            _compare(verdict, key, explained.get(key, []) + [facts], taken.pop(key, []))
            verdict.counts[endpoint].explained += len(explained.get(key, []))
    for key, facts in taken.items():
        verdict.counts[key[0]].taken += len(facts)
        verdict.findings.append(f"{_named(key)}：工地没有这一行 (no such row at the site)")
    return verdict


def _compare(verdict, key, wanted, got):
    count = verdict.counts[key[0]]
    count.rows += 1
    count.taken += len(got)
    if not got:
        verdict.findings.append(f"{_named(key)}：平台没有 (missing)")
    elif len(got) != len(wanted):
        verdict.findings.append(f"{_named(key)}：平台收了 {len(got)} 次，应为 {len(wanted)} 次 (taken {len(got)} times)")
    elif got != wanted:
        names = sorted({name for one, other in zip(wanted, got, strict=True) for name in one if one[name] != other[name]})
        verdict.findings.append(f"{_named(key)}：{'、'.join(names)} 与工地不同 (differ)")


def _named(key):
    endpoint, identity = key
    return f"{endpoint} {' '.join(map(str, identity))}"
