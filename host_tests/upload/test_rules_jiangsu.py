"""Jiangsu's warnings: levels, dates, risk points, certificates."""

from datetime import date, timedelta

import pytest

from hanma.upload import catalogue, rules_jiangsu

TODAY = date(2026, 11, 21)
TABLES = catalogue.load("jiangsu").tables


def warned(key, risk_points=(), **values):
    found = rules_jiangsu.check(values, TABLES[key], TODAY, set(risk_points))
    for rule, name, words in found:
        assert rule.severity == "warning" and TABLES[key].field(name)
        assert all(getattr(rule, text).format(**words) for text in ("zh", "en", "zh_do", "en_do"))
    return [rule.name for rule, _, _ in found]


def test_a_source_without_its_risk_point_is_warned_of():
    assert warned("hazard", ["R1"], riskNo="R2") == ["no_risk_point"]
    assert warned("hazard", ["R1"], riskNo="R1") == []


@pytest.mark.parametrize("key", ["risk", "hazard"])
def test_residual_above_inherent_risk_is_warned_of(key):
    assert warned(key, inherentriskLevel="一般风险", remainriskLevel="较大风险") == ["residual_above_inherent"]
    assert warned(key, inherentriskLevel="一般风险", remainriskLevel="一般风险") == []
    assert warned(key, inherentriskLevel="重大风险", remainriskLevel="低风险") == []


@pytest.mark.parametrize(
    ("key", "earlier", "later"),
    [
        ("person", "authDate", "endDate"),
        ("training", "startDate", "endDate"),
        ("training", "startDate", "trainDate"),
        ("risk", "registDate", "checkDate"),
        ("hidden_danger", "checkDate", "limitDate"),
        ("hidden_danger", "checkDate", "dealDate"),
        ("hidden_danger", "dealDate", "acceptDate"),
    ],
)
def test_dates_out_of_order_are_warned_of(key, earlier, later):
    day = date(2027, 5, 2)
    assert "dates_out_of_order" in warned(key, **{earlier: day, later: day - timedelta(days=1)})
    assert "dates_out_of_order" not in warned(key, **{earlier: day, later: day})


@pytest.mark.parametrize(
    ("days", "names"),
    [
        (-1, ["certificate_ended"]),
        (0, ["certificate_ends_soon"]),
        (30, ["certificate_ends_soon"]),
        (31, ["certificate_ends_soon"]),
        (60, ["certificate_ends_soon"]),
        (61, []),
    ],
)
def test_certificates_that_end_are_warned_of_within_sixty_days(days, names):
    assert warned("person", endDate=TODAY + timedelta(days=days)) == names


@pytest.mark.parametrize(("days", "within"), [(30, 30), (31, 60)])
def test_thirty_and_sixty_days_are_told_apart(days, within):
    found = rules_jiangsu.check({"endDate": TODAY + timedelta(days=days)}, TABLES["person"], TODAY, set())
    assert found[0][2]["within"] == within


def test_a_danger_open_past_its_limit_is_warned_of():
    yesterday = TODAY - timedelta(days=1)
    assert warned("hidden_danger", limitDate=yesterday, dealInfo="未整改") == ["past_limit"]
    assert warned("hidden_danger", limitDate=TODAY, dealInfo="未整改") == []


def test_mended_late_and_half_reported_are_warned_of():
    assert warned("hidden_danger", limitDate=TODAY, dealDate=TODAY + timedelta(days=1), dealInfo="已整改") == ["mended_late"]
    assert warned("hidden_danger", dealInfo="已整改") == ["mending_incomplete"]
    assert warned("hidden_danger", dealInfo="未整改", dealDate=TODAY) == ["mending_incomplete"]
