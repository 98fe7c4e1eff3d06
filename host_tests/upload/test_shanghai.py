"""Shanghai: off until a basis is stated; who may enter; what is counted."""

from datetime import date

import pytest

from hanma.upload import shanghai
from hanma.upload.record import Record
from hanma.upload.site import Epidemic, Site

ID = "310101199001010012"


def registered(who=ID, **values):
    base = {"身份证号": who, "健康云登记": "是", "项目名称": "甲项目", "在场": "是"}
    return Record("shanghai", "pre_registration", base | values)


def state(text, who=ID):
    return Record("shanghai", "disposal", {"身份证号": who, "状态": text})


def names(problems):
    return [one.rule.name for one in problems]


def site(**epidemic):
    return Site(name="x", platform="shanghai", epidemic=Epidemic(**epidemic) if epidemic else None)


def test_it_is_off_until_a_site_states_its_basis_and_its_end():
    assert shanghai.allowed(site(), date(2026, 11, 21)).rule is shanghai.OFF
    stated = site(basis="某某文件第三条", until=date(2026, 11, 21))
    assert shanghai.allowed(stated, date(2026, 11, 21)) is None
    assert shanghai.allowed(stated, date(2026, 11, 22)).rule is shanghai.OFF


def test_a_registered_person_in_the_default_state_may_enter():
    assert shanghai.entry(ID, [registered()], []) == []
    assert shanghai.entry(ID, [registered()], [state("可进场")]) == []


@pytest.mark.parametrize("word", shanghai.BARRED)
def test_each_barring_state_bars(word):
    assert names(shanghai.entry(ID, [registered()], [state("可进场"), state(word)])) == ["barred_state"]


def test_the_last_state_counts():
    assert shanghai.entry(ID, [registered()], [state("确诊"), state("可进场")]) == []


def test_what_is_missing_bars_by_name():
    assert names(shanghai.entry(ID, [], [])) == ["not_registered"]
    barred = registered(健康云登记="否", 隔离完成="否")
    assert names(shanghai.entry(ID, [barred], [])) == ["no_health_cloud", "isolation"]


def test_no_symptom_beside_a_symptom_is_a_contradiction():
    def day(text):
        return Record("shanghai", "daily_health", {"健康状况": text})

    assert shanghai.health([day("咳嗽、发热"), day("无上述异常症状")]) == []
    assert names(shanghai.health([day("无上述异常症状、咳嗽")])) == ["symptoms_contradict"]


def test_a_family_member_needs_a_registered_worker():
    def member(who):
        return Record("shanghai", "family", {"人员身份证号": who})

    assert names(shanghai.families([member(ID), member("other")], [registered()])) == ["family_without_worker"]


def test_each_project_counts_who_is_registered_and_who_is_present():
    rows = [registered(), registered("b", 在场="否"), registered("c", 项目名称="乙项目")]
    assert shanghai.counts(rows) == [shanghai.Count("乙项目", 1, 1), shanghai.Count("甲项目", 2, 1)]
