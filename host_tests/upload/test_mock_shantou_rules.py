"""The strict stand-in of Shantou keeps the rules that the document states beyond single fields."""

import pytest

from host_tests.upload.mock_shantou_world import ATTACHMENTS, NEEDS, running

_MANAGEMENT = {"teamtype": 1, "teamname": "管理人员班组", "teamcode": "M1"}


@pytest.fixture(scope="module")
def stand():
    with running() as started:
        yield started


@pytest.mark.parametrize("name", ["混凝土班组", "李一班组", "李一 班组", "李一混凝土", "混凝土李一班组"])
def test_an_ordinary_teams_name_is_leader_work_and_suffix(stand, name):
    body = stand.site()
    code, message = stand.refused("team", body("team", teamname=name))
    assert (code, "teamname：班组名称应由班组长姓名+工种+班组组成" in message) == ("900010199", True)


def test_a_teams_name_is_used_once_in_a_project(stand):
    body = stand.site("team")
    assert "teamname：同一个项目下班组名称不能重复" in stand.refused("team", body("team", teamcode="T2"))[1]
    stand.taken("team", body("team", teamcode="T2", teamname="李一钢筋班组"))
    stand.site("team")


def test_a_teams_code_is_used_once_in_a_project(stand):
    body = stand.site("team")
    assert "teamcode：班组编码已存在" in stand.refused("team", body("team", teamname="李一钢筋班组"))[1]


def test_a_unit_has_one_management_team_and_another_unit_may_have_one_of_the_same_name(stand):
    body = stand.site()
    stand.taken("team", body("team", **_MANAGEMENT))
    second = body("team", **{**_MANAGEMENT, "teamcode": "M2"})
    assert "teamtype：一个单位只能有一个管理班组" in stand.refused("team", second)[1]
    stand.taken("team", {**second, "unitcode": "91440500MA4UKX9999"})


def test_a_worker_enters_a_registered_team(stand):
    body = stand.site("team")
    code, message = stand.refused("worker_enter", body("worker_enter", teamcode="T9"))
    assert (code, "teamcode：班组不存在" in message) == ("990025004", True)
    elsewhere = {**body("worker_enter"), "projectcode": "none"}
    assert "teamcode：班组不存在" in stand.refused("worker_enter", elsewhere)[1]


def test_managers_are_in_management_teams_and_builders_in_ordinary_ones(stand):
    body = stand.site("team")
    stand.taken("team", body("team", **_MANAGEMENT))
    reason = "grtype：管理人员只能在管理班组，建筑工人只能在普通班组"
    manager = body("worker_enter", grtype=10, worktype="1018")
    assert reason in stand.refused("worker_enter", manager)[1]
    stand.taken("worker_enter", {**manager, "teamcode": "M1"})
    assert reason in stand.refused("worker_enter", body("worker_enter", teamcode="M1"))[1]


# Unit type: posts that it has, posts that it has not.
_POSTS = {
    "007": ("1001 1002 1003 1004 1005 1006 1007 1024 1000 1099 900", "1008 1009 1018 1031 020"),
    "008": ("1008 1009 1010 1011 1012 900", "1000 1001 1014 1018 1099"),
    "009": (
        "1009 1012 1013 1014 1015 1016 1017 1018 1019 1020 1021 1022 1023 1025 1026 1027 1028 1029 1030 900",
        "1000 1001 1008 1011 1024 1031 1032 1099",
    ),
    "006": ("1009 1018 1022 1030 1031 1032 1000 1099 900", "1001 1008 1014 1016 270"),
    "012": ("1009 1032", "1012"),
}


@pytest.mark.parametrize("unit", _POSTS)
def test_a_managers_post_is_one_of_the_units_kind(stand, unit):
    body = stand.site()
    stand.taken("team", body("team", unittype=unit, **_MANAGEMENT))
    has, has_not = (posts.split() for posts in _POSTS[unit])
    for post in has:
        stand.taken("worker_enter", body("worker_enter", grtype=10, teamcode="M1", worktype=post))
    for post in has_not:
        message = stand.refused("worker_enter", body("worker_enter", grtype=10, teamcode="M1", worktype=post))[1]
        assert f"worktype：{post} 不在参建类型 {unit} 的管理岗位范围内" in message


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("worker_out", "idcardnum"),
        ("gate", "ryno"),
        ("team_payroll", "idCardNumber"),
        ("worker_certificate", "idCardNumber"),
    ],
)
def test_a_record_is_of_a_person_who_has_entered_this_project(stand, key, name):
    body = stand.site(*NEEDS[key])
    assert f"{name}：人员未进场" in stand.refused(key, body(key, **{name: "440500198609240099"}))[1]
    other = stand.site("team")
    assert f"{name}：人员未进场" in stand.refused(key, other(key))[1]


def test_everyone_paid_at_a_teams_exit_has_entered(stand):
    body = stand.site(*NEEDS["team_exit"])
    details = body("team_exit")["payrollDetails"]
    details.append({**details[0], "idCardNumber": "440500198609240099"})
    message = stand.refused("team_exit", body("team_exit", payrollDetails=details))[1]
    assert "payrollDetails[1].idCardNumber：人员未进场" in message


@pytest.mark.parametrize("key", ["team_exit", "team_work", "team_payroll"])
def test_papers_are_of_a_registered_team(stand, key):
    body = stand.site(*NEEDS[key])
    assert "teamSysNo：班组不存在" in stand.refused(key, body(key, teamSysNo="T9"))[1]


@pytest.mark.parametrize("key", ["team_exit", "team_work"])
def test_bad_conduct_that_is_said_to_exist_is_listed(stand, key):
    body = stand.site(*NEEDS[key])
    reason = "badnessInfo：isHasbadness 为 0 时必填"
    assert reason in stand.refused(key, body(key, isHasbadness=0, badnessInfo=[]))[1]
    stand.taken(key, body(key, isHasbadness=1, badnessInfo=[]))
    listed = [{"badnessType": "01", "badnessAttachments": ATTACHMENTS}]
    stand.taken(key, body(key, isHasbadness=0, badnessInfo=listed))


def test_exit_papers_may_leave_out_the_list_of_bad_conduct_and_work_papers_may_not(stand):
    body = stand.site(*NEEDS["team_exit"])
    without = {name: value for name, value in body("team_work", isHasbadness=1).items() if name != "badnessInfo"}
    assert "badnessInfo：必需参数缺失" in stand.refused("team_work", without)[1]
    told = body("team_exit", isHasbadness=0)
    assert "badnessInfo：isHasbadness 为 0 时必填" in stand.refused("team_exit", told)[1]


# Certificate type: a kind of work of its dictionary, one of another's.
_KINDS_OF_WORK = {
    **dict.fromkeys(("010", "020", "030", "040", "090"), ("270", "050020")),
    "050": ("050040", "060010"),
    "060": ("060031", "270"),
    "070": ("070029", "050010"),
}


@pytest.mark.parametrize("kind", _KINDS_OF_WORK)
def test_a_certificates_work_is_in_the_dictionary_of_its_type(stand, kind):
    body = stand.site(*NEEDS["worker_certificate"])
    right, wrong = _KINDS_OF_WORK[kind]
    changed = {"certificateType": kind, "workTypeNameCode": right}
    stand.taken("worker_certificate", body("worker_certificate", **changed))
    message = stand.refused("worker_certificate", body("worker_certificate", **{**changed, "workTypeNameCode": wrong}))[1]
    assert f"workTypeNameCode：{wrong} 不在证书类型 {kind} 的字典中" in message


@pytest.mark.parametrize(("kind", "work"), [("050", "050020"), ("060", "060010"), ("070", "070011")])
def test_a_certificate_without_levels_is_of_the_middle_one(stand, kind, work):
    body = stand.site(*NEEDS["worker_certificate"])
    changed = {"certificateType": kind, "workTypeNameCode": work, "skillLevel": "4"}
    assert "skillLevel：" in stand.refused("worker_certificate", body("worker_certificate", **changed))[1]
    levelled = {"certificateType": "010", "workTypeNameCode": "270", "skillLevel": "4"}
    stand.taken("worker_certificate", body("worker_certificate", **levelled))


def test_a_certificate_is_sent_with_one_picture_once(stand):
    body = stand.site(*NEEDS["worker_certificate"])
    stand.taken("worker_certificate", body("worker_certificate"))
    again = body("worker_certificate", name="反面.jpg")
    assert "certificateNumber：一个证书只上传一张图片" in stand.refused("worker_certificate", again)[1]
    stand.taken("worker_certificate", body("worker_certificate", workTypeNameCode="050010"))


def test_what_was_refused_registers_nothing(stand):
    body = stand.site()
    stand.refused("team", body("team", unittype="6"))
    stand.refused("worker_enter", body("worker_enter"))
    stand.taken("team", body("team"))
    assert "ryno：人员未进场" in stand.refused("gate", body("gate"))[1]
