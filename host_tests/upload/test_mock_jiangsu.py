"""The stand-in of Jiangsu's interface: what it takes, what it refuses, and how little it says about why."""

import copy
import datetime
import json
import pathlib

import httpx
import pytest

from hanma.mock import jiangsu
from hanma.mock.jiangsu_tables import TABLES, row_fault
from host_tests.upload.served import serving

_DAY = "2026-11-21"
_OPTIONS = jiangsu.Options(appid="site-1", secret="quiet", today=_DAY)
_GOLDEN = pathlib.Path(__file__).parent / "golden" / "jiangsu"


@pytest.fixture
def platform():
    with serving(jiangsu, _OPTIONS) as served:
        yield served


def _token(platform, **query):
    return platform.client.get(jiangsu.TOKEN_PATH, params={"appid": "site-1", "secret": "quiet", **query}).json()


def _row(identity="DW0001", **changes):
    body = json.loads((_GOLDEN / "01_minimal.json").read_text(encoding="utf-8"))["body"]
    return {**body["data"][0], "ID": identity, **changes}


def _batch(token, number=1, **changes):
    made = {"access_token": token, "batchNo": f"20261121{number:08d}", "txcode": "01", "busType": "I", "data": [_row()]}
    return {**made, **changes}


def _send(platform, number=1, **changes):
    if platform.token is None:
        platform.token = _token(platform)["data"]["access_token"]
    return platform.client.post(jiangsu.BATCH_PATH, json=_batch(platform.token, number, **changes)).json()


def _golden_row(name):
    body = json.loads((_GOLDEN / f"{name}.json").read_text(encoding="utf-8"))["body"]
    return body["txcode"], body["data"][0]


def test_a_token_is_given_by_get_and_by_post_for_the_right_secret(platform):
    got = _token(platform)
    posted = platform.client.post(jiangsu.TOKEN_PATH, params={"appid": "site-1", "secret": "quiet"}).json()
    assert (got["rescode"], posted["rescode"]) == ("1", "1")
    assert got["data"]["access_token"] != posted["data"]["access_token"]


@pytest.mark.parametrize("wrong", [{"secret": "loud"}, {"appid": "site-2"}, {"secret": ""}, {"secret": "é"}])
def test_no_token_is_given_for_a_wrong_appid_or_secret(platform, wrong):
    answer = _token(platform, **wrong)
    assert (answer["rescode"], answer["data"]) == ("0", "")


@pytest.mark.parametrize("form", jiangsu.TOKEN_FORMS)
def test_a_token_s_answer_takes_each_of_the_forms_that_the_standard_leaves_open(form):
    with serving(jiangsu, jiangsu.Options(token_form=form)) as served:
        answer = served.client.get(jiangsu.TOKEN_PATH, params={"appid": "appid", "secret": "secret"}).json()
    holder = answer if form == "flat" else answer["data"]
    assert len(holder if form == "text" else holder["access_token"]) == 32


def test_the_ledger_holds_neither_secret_nor_token(platform):
    _send(platform)
    _send(platform, number=2)
    kept = json.dumps(platform.ledger.entries)
    assert "quiet" not in kept and platform.token not in kept and "access_token" not in kept


def test_a_batch_is_answered_in_the_standard_s_words(platform):
    assert _send(platform) == {"rescode": "1", "msg": "success", "data": ""}


def test_the_same_batch_again_is_a_success_that_is_counted_as_a_repeat(platform):
    assert [_send(platform)["rescode"], _send(platform)["rescode"]] == ["1", "1"]
    assert platform.ledger.counts()["endpoints"]["syndata"] == {"taken": 2, "refused": 0, "repeated": 1}


def test_a_repeat_under_a_renewed_token_is_still_a_repeat(platform):
    _send(platform)
    platform.token = _token(platform)["data"]["access_token"]
    _send(platform)
    assert platform.ledger.counts()["endpoints"]["syndata"]["repeated"] == 1


def test_a_number_that_was_used_for_other_content_is_refused(platform):
    _send(platform)
    assert _send(platform, data=[_row("DW0002")])["msg"] == "batchNo重复"


def test_a_refused_batch_does_not_use_its_number_up(platform):
    assert _send(platform, data=[_row(linkTel="")])["rescode"] == "0"
    assert _send(platform)["rescode"] == "1"


def test_one_wrong_row_refuses_the_whole_batch_without_saying_which(platform):
    answer = _send(platform, data=[_row("A"), _row("B", linkTel=13412341234), _row("C")])
    assert answer == {"rescode": "0", "msg": "数据校验不通过，整批退回", "data": ""}
    assert platform.last()["message"].endswith("row 2: linkTel: not text")
    assert _send(platform, number=2, data=[_row("A"), _row("C")])["rescode"] == "1"


@pytest.mark.parametrize(
    "number",
    [
        "2026112000000001",
        "2026112200000001",
        "2026112100000000",
        "202611210000001",
        "20261121000000011",
        "2026-11-21000001",
        2026112100000001,
    ],
)
def test_a_number_that_is_not_of_today_with_eight_digits_is_refused(platform, number):
    assert _send(platform, batchNo=number)["rescode"] == "0"


def test_days_back_may_be_allowed_for_batches_that_waited():
    with serving(jiangsu, jiangsu.Options(appid="site-1", secret="quiet", today=_DAY, batch_days=1)) as served:
        codes = [_send(served, batchNo=f"202611{day}00000001", data=[_row(day)])["rescode"] for day in ("19", "20", "21", "22")]
    assert codes == ["0", "1", "1", "0"]


def test_without_a_set_day_the_day_in_china_counts():
    china = datetime.timezone(datetime.timedelta(hours=8))
    with serving(jiangsu, jiangsu.Options(appid="site-1", secret="quiet", batch_days=1)) as served:
        assert _send(served, batchNo=f"{datetime.datetime.now(china):%Y%m%d}00000001")["rescode"] == "1"


@pytest.mark.parametrize(
    "changes",
    [
        {"txcode": "10"},
        {"txcode": 1},
        {"txcode": "1"},
        {"busType": "i"},
        {"busType": None},
        {"data": []},
        {"data": _row()},
        {"data": ["DW0001"]},
        {"txCode": "01"},
    ],
)
def test_an_envelope_that_is_not_as_written_is_refused(platform, changes):
    assert _send(platform, **changes)["rescode"] == "0"


def test_a_body_that_is_not_json_in_utf8_is_refused(platform):
    half, foreign, unsaid = (b"{", "json"), ('{"a":"焊"}'.encode("gb18030"), "json"), (b"{}", "octet-stream")
    for content, kind in (half, foreign, unsaid):
        answer = platform.client.post(jiangsu.BATCH_PATH, content=content, headers={"Content-Type": f"application/{kind}"}).json()
        assert answer["msg"] == "报文格式错误"


def test_a_change_and_a_deletion_want_what_is_held_and_an_addition_what_is_new(platform):
    tried = [("U", 1), ("D", 2), ("I", 3), ("I", 4), ("U", 5), ("D", 6), ("U", 7), ("I", 8)]
    codes = [_send(platform, number=number, busType=action)["rescode"] for action, number in tried]
    assert codes == ["0", "0", "1", "0", "1", "1", "0", "1"]


def test_an_id_belongs_to_its_table(platform):
    txcode, row = _golden_row("02_minimal")
    assert _send(platform)["rescode"] == "1"
    assert _send(platform, number=2, txcode=txcode, data=[{**row, "ID": "DW0001"}])["rescode"] == "1"


def test_an_id_twice_in_one_batch_is_refused(platform):
    assert _send(platform, data=[_row(), _row()])["rescode"] == "0"


def test_a_late_repeat_of_an_addition_does_not_bring_back_what_was_deleted(platform):
    _send(platform, number=1)
    _send(platform, number=2, busType="D", data=[{"ID": "DW0001", "updateDate": _DAY}])
    assert _send(platform, number=1)["rescode"] == "1"
    assert _send(platform, number=3, busType="U")["rescode"] == "0"


def test_what_was_taken_is_known_after_a_restart(tmp_path):
    path = tmp_path / "ledger.jsonl"
    with serving(jiangsu, _OPTIONS, path) as served:
        _send(served)
    with serving(jiangsu, _OPTIONS, path) as served:
        assert _send(served)["rescode"] == "1"
        assert _send(served, number=2)["rescode"] == "0"
        assert served.ledger.counts()["endpoints"]["syndata"]["repeated"] == 1


def test_a_token_ends_after_its_time():
    with serving(jiangsu, jiangsu.Options(appid="site-1", secret="quiet", today=_DAY, token_life_s=0)) as served:
        assert _send(served)["msg"] == "access_token无效或已过期"


@pytest.mark.parametrize("token", ["", "0" * 32, None, 7])
def test_an_unknown_token_is_refused(platform, token):
    assert _send(platform, access_token=token)["msg"] == "access_token无效或已过期"


def test_an_ordered_expiry_ends_the_token_for_good_and_a_new_one_works(platform):
    platform.order("token_expired", endpoint="syndata")
    assert [_send(platform)["rescode"], _send(platform)["rescode"]] == ["0", "0"]
    platform.token = _token(platform)["data"]["access_token"]
    assert _send(platform)["rescode"] == "1"


def test_a_cut_after_acceptance_leaves_one_taken_batch_and_the_resend_is_a_repeat(platform):
    platform.order("cut_after", endpoint="syndata")
    with pytest.raises(httpx.TransportError):
        _send(platform)
    assert _send(platform)["rescode"] == "1"
    assert platform.ledger.counts()["endpoints"]["syndata"] == {"taken": 2, "refused": 0, "repeated": 1}


def test_an_ordered_refusal_carries_its_message_and_takes_nothing(platform):
    platform.order("refuse", message="不收")
    platform.order("system_error", endpoint="syndata")
    assert _token(platform)["msg"] == "不收"
    assert _send(platform)["msg"] == "系统异常"
    assert _send(platform)["rescode"] == "1"


@pytest.mark.parametrize("txcode", sorted(TABLES))
def test_every_field_of_a_table_is_missed_and_its_wrong_type_refused(txcode):
    _, row = _golden_row(f"{txcode}_full")
    assert row_fault(txcode, row) is None
    for name in row:
        shorter = {key: value for key, value in row.items() if key != name}
        optional = name in TABLES[txcode] and TABLES[txcode][name].optional
        assert bool(row_fault(txcode, shorter)) != optional, name
        for wrong in (None, True, [], 1.5, ""):
            assert row_fault(txcode, {**row, name: wrong}), (name, wrong)


@pytest.mark.parametrize("txcode", sorted(TABLES))
def test_a_field_that_is_not_in_the_table_is_refused(txcode):
    _, row = _golden_row(f"{txcode}_full")
    assert row_fault(txcode, {**row, "batchNo": "x"}) == f"batchNo: not a field of table {txcode}"


@pytest.mark.parametrize(
    ("name", "field", "right", "wrong"),
    [
        ("02_full", "isSecDept", [0, 1], [2, "1", "是"]),
        ("03_full", "lcnsKind", ["锅炉作业", "场(厂)内专用机动车辆作业", "锅炉作业、气瓶作业"], ["焊工", "锅炉作业,气瓶作业"]),
        ("06_full", "riskType", [0, 1], [2, "0"]),
        ("06_full", "accidentType", ["泄漏", "爆炸、故障或者受困（滞留）", "受困(滞留)"], ["火灾", "爆炸，泄漏", "爆炸、"]),
        ("06_full", "inherentriskLevel", ["重大风险"], ["高风险", "1"]),
        ("07_full", "controlLevel", ["部门(装置、车间)级"], ["公司级"]),
        ("07_full", "measureType", ["应急措施"], ["管理措施、应急措施"]),
        ("08_full", "riskfileType", ["其他"], ["其它"]),
        ("08_full", "riskFile", ["aGE=", {"name": "a.jpg", "data": "aGE="}], [{"name": "a.jpg"}, "data:image/jpeg;base64,?", {}]),
        ("09_full", "dealInfo", ["未整改"], ["处理结果"]),
        ("09_full", "acceptInfo", ["整改验收不合格", 1], ["合格"]),
        ("09_full", "checkDate", ["2024-02-29"], ["2023-02-29", "2024-2-29", "20240229", "2024-02-29 00:00:00", "２０２４-02-29"]),
        ("01_full", "ID", ["x" * 64], ["x" * 65, " "]),
    ],
)
def test_a_value_is_held_against_the_standard_s_list_and_form(name, field, right, wrong):
    txcode, row = _golden_row(name)
    assert [row_fault(txcode, {**row, field: value}) for value in right] == [None] * len(right)
    assert all(row_fault(txcode, {**copy.deepcopy(row), field: value}) for value in wrong)
