"""The rules of Shantou's document between fields and between records."""

import pytest

from host_tests.upload.shantou_world import PLATFORM, cells, check, found, golden

_LABOUR, _MANAGEMENT = golden("team_minimal")["body"], golden("team_management")["body"]
_POSTS, _TRADES = PLATFORM.facts["posts"], PLATFORM.facts["trades"]
_ALL_POSTS = sorted({code for codes in _POSTS.values() for code in codes})


class _Teams:
    """A store that has accepted these teams."""

    def __init__(self, *teams):
        self._teams = teams

    def __call__(self, table, identity):
        return "accepted"

    def others(self, table):
        return self._teams if table == "team" else ()


def _team(**changed):
    return cells("team_minimal", **changed)


# Teams


@pytest.mark.parametrize("name", ["李四混凝土班组", "李四焊工班组", "李四其它班组"])
def test_a_team_is_called_by_its_leader_its_trade_and_the_word_team(name):
    assert found(check("team", _team(teamname=name))[0]) == set()


@pytest.mark.parametrize("name", ["混凝土班组", "李四混凝土", "李四班组", "张三混凝土班组", "混凝土李四班组"])
def test_another_name_of_a_team_is_an_error(name):
    (record,) = check("team", _team(teamname=name))
    assert ("team_name", "teamname") in found(record) and not record.sound


def test_a_management_team_may_have_the_name_that_the_platform_gives_it():
    assert check("team", cells("team_management", teamname="管理人员班组"))[0].sound


def test_within_a_project_no_two_teams_have_one_name():
    first, twin = _team(), _team(teamcode="BZ0009")
    elsewhere = _team(teamcode="BZ0010", projectcode="4405132026050002")
    assert [found(record) for record in check("team", first, twin, elsewhere)] == [set(), {("team_name_twice", "teamname")}, set()]
    (record,) = check("team", twin, known=_Teams(_LABOUR))
    (one,) = [one for one in record.problems if one.rule.name == "team_name_twice"]
    assert "BZ0001" in one.text() and not record.sound
    assert check("team", first, known=_Teams(_LABOUR))[0].sound


def test_two_units_management_teams_may_both_have_the_platform_s_name():
    first = cells("team_management", teamname="管理人员班组")
    other = first | {"teamcode": "BZ0011", "unitcode": "91440500MA0000015C"}
    assert [found(record) for record in check("team", first, other)] == [set(), set()]


def test_a_unit_has_one_management_team():
    first, second = cells("team_management"), cells("team_management", teamcode="BZ0012", teamname="王五管理班组")
    assert [found(record) for record in check("team", first, second)] == [set(), {("second_management", "teamtype")}]
    assert ("second_management", "teamtype") in found(check("team", second, known=_Teams(_MANAGEMENT))[0])
    other = second | {"unitcode": "91440500MA0000015C"}
    assert check("team", other, known=_Teams(_MANAGEMENT))[0].sound


@pytest.mark.parametrize("code", PLATFORM.dictionaries["team_job_classes"])
def test_a_job_class_under_another_work_type_is_a_warning(code):
    row = _team(teamJobClass=code, teamWorkType=code[0])
    assert found(check("team", row)[0]) == set()
    (record,) = check("team", row | {"teamWorkType": "1" if code[0] != "1" else "2"})
    assert found(record) == {("job_class", "teamJobClass")} and record.sound


# Workers

_BUILDER = cells("worker_enter_minimal")
_MANAGER = cells("worker_enter_manager")


@pytest.mark.parametrize(
    ("row", "team", "told"),
    [
        (_BUILDER, _LABOUR, set()),
        (_BUILDER, {**_LABOUR, "teamtype": 1}, {("wrong_team", "grtype")}),
        (_MANAGER, _MANAGEMENT, set()),
        (_MANAGER, {**_MANAGEMENT, "teamtype": 0}, {("wrong_team", "grtype")}),
    ],
)
def test_managers_belong_in_a_management_team_and_builders_in_an_ordinary_one(row, team, told):
    (record,) = check("worker_enter", row, known=_Teams(team))
    assert found(record) == told and record.sound == (not told)


@pytest.mark.parametrize("unit", _POSTS)
def test_the_posts_of_a_unit_are_those_of_its_type(unit):
    team = {**_MANAGEMENT, "unittype": unit}
    for post in _ALL_POSTS:
        (record,) = check("worker_enter", _MANAGER | {"worktype": post}, known=_Teams(team))
        assert (("wrong_post", "worktype") in found(record)) == (post not in _POSTS[unit])


def test_a_post_that_a_unit_lacks_is_told_with_those_it_has():
    (record,) = check("worker_enter", _MANAGER | {"worktype": "总监理工程师"}, known=_Teams(_MANAGEMENT))
    (one,) = [one for one in record.problems if one.rule.name == "wrong_post"]
    assert one.text() == "总承包单位没有“总监理工程师”这个管理岗位" and "1009 项目经理" in one.remedy()


def test_a_manager_as_such_is_no_post_of_any_list_and_goes():
    assert check("worker_enter", _MANAGER | {"worktype": "900"}, known=_Teams(_MANAGEMENT))[0].sound


def test_a_team_that_nobody_knows_says_nothing_of_its_workers():
    assert check("worker_enter", _MANAGER, known=_Teams())[0].sound


@pytest.mark.parametrize("table", ["worker_enter", "gate"])
def test_a_trade_for_a_manager_or_a_post_for_a_builder_is_a_warning(table):
    who = "grtype" if table == "worker_enter" else "rytype"
    managers = ["1009", "900"]
    for kind, posts, warned in (("20", _TRADES, False), ("20", managers, True), ("10", managers, False), ("10", _TRADES, True)):
        for post in posts:
            (record,) = check(table, cells(f"{table}_minimal", **{who: kind, "worktype": post}))
            assert (("post_and_type", "worktype") in found(record)) == warned and record.sound


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"conenddate": "2026-11-02"}, "conenddate"),
        ({"probenddate": "2026-11-02"}, "probenddate"),
        ({"probenddate": "2027-06-01"}, "conenddate"),
        ({"probstartdate": "2026-11-01", "probenddate": "2026-12-01"}, "probstartdate"),
    ],
)
def test_days_out_of_order_are_a_warning(changed, field):
    days = {"constartdate": "2026-11-03", "conenddate": "2027-05-02", "probstartdate": "2026-11-03", "probenddate": "2026-12-02"}
    (record,) = check("worker_enter", cells("worker_enter_full", **days | changed))
    assert ("days_order", field) in found(record) and record.sound


# Certificates


@pytest.mark.parametrize("kind", ["050", "060", "070"])
def test_certificates_without_a_level_have_the_middle_one(kind):
    row = cells(f"worker_certificate_{kind}")
    assert check("worker_certificate", row)[0].sound
    for level in ("1", "2", "4", "5", "6"):
        (record,) = check("worker_certificate", row | {"skillLevel": level})
        assert ("middle_level", "skillLevel") in found(record) and not record.sound


def test_whether_building_work_has_a_level_is_a_setting():
    row = cells("worker_certificate_070", skillLevel="4")
    assert check("worker_certificate", row, settings={"level_070": "any"})[0].sound


def test_other_certificates_have_any_level():
    assert all(check("worker_certificate", cells("worker_certificate_090", skillLevel=level))[0].sound for level in "123456")


def test_a_certificate_for_ever_has_no_order_of_days():
    assert found(check("worker_certificate", cells("worker_certificate_permanent"))[0]) == set()
    row = cells("worker_certificate_full", startDate="2026-01-01", expiryDate="2025-01-01")
    assert ("days_order", "expiryDate") in found(check("worker_certificate", row)[0])


# Exits and wages


def _exit(**changed):
    return cells("team_exit_unsettled_without_bad_records", **changed)


def _details(**changed):
    return [_exit()["payrollDetails"][0] | changed]


@pytest.mark.parametrize(
    ("changed", "told", "sound"),
    [
        ({}, set(), True),
        ({"appointDate": ""}, {("promised_day", "appointDate")}, False),
        ({"payrollDetails": _details(appointDate="")}, {("promised_day", "payrollDetails[1].appointDate")}, False),
        ({"unpaidPayroll": "400"}, {("sum_differs", "unpaidPayroll")}, True),
        ({"payrollDetails": _details(actualAmount="8200")}, {("sum_differs", "payrollDetails[1].unpaidAmount")}, True),
        ({"isSettledPayroll": "是"}, {("nothing_owed", "unpaidPayroll")}, True),
        ({"payrollDetails": _details(issettledPayroll="是")}, {("nothing_owed", "payrollDetails[1].unpaidAmount")}, True),
    ],
)
def test_what_is_owed_needs_the_day_promised_and_sums_that_differ_are_warned_of(changed, told, sound):
    (record,) = check("team_exit", _exit(**changed))
    assert found(record) == told and record.sound == sound


def test_nothing_owed_though_not_settled_is_a_warning():
    row = _exit(unpaidPayroll="0", payrollDetails=_details(unpaidAmount="0", actualAmount="8800"))
    assert {rule for rule, _ in found(check("team_exit", row)[0])} == {"something_owed"}


@pytest.mark.parametrize(("table", "stem"), [("team_exit", "team_exit_full"), ("team_work", "team_work_full")])
def test_bad_records_that_are_denied_and_listed_are_a_warning(table, stem):
    (record,) = check(table, cells(stem, isHasbadness="否"))
    assert found(record) == {("badness_denied", "badnessInfo")} and record.sound


def test_bad_records_that_are_admitted_and_not_listed_are_an_error():
    for table in ("team_exit", "team_work"):
        (record,) = check(table, cells(f"{table}_full", isHasbadness="是", badnessInfo=[]))
        assert found(record) == {("missing", "badnessInfo")} and not record.sound
