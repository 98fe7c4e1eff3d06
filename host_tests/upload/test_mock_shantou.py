"""The strict stand-in of Shantou takes what the document asks for and refuses the rest, naming the field and why."""

import copy
import datetime
import json

import pytest

from host_tests.upload.mock_shantou_world import (
    BARE,
    FULL,
    MINIMAL,
    NEEDS,
    PDF,
    PHOTO,
    base64_of,
    image_bytes,
    long_image,
    running,
)

_FAILURES = {
    "dust": "990025001",
    "vehicle": "990025002",
    "gate": "990025003",
    "worker_enter": "990025004",
    "worker_out": "990025005",
    **dict.fromkeys(("team", "mixer_vehicle", "team_exit", "team_work", "team_payroll", "worker_certificate"), "900010199"),
}
_KEYS = tuple(MINIMAL)
_CHINA = datetime.timezone(datetime.timedelta(hours=8))


@pytest.fixture(scope="module")
def stand():
    with running() as started:
        yield started


def _places(body, at=()):
    """Yield the way to each value of a body, into the first object of each array."""
    for name, value in body.items():
        yield (*at, name)
        if isinstance(value, list):
            yield from _places(value[0], (*at, name, 0))


def _called(place):
    """Return how a message calls a place."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place)[1:]


def _changed(body, place, change):
    """Return a copy of a body; change(holder, name) is done at the place."""
    made = copy.deepcopy(body)
    holder = made
    for part in place[:-1]:
        holder = holder[part]
    change(holder, place[-1])
    return made


def _put(value):
    return lambda holder, name: holder.__setitem__(name, value)


def _drop(holder, name):
    del holder[name]


@pytest.mark.parametrize("key", _KEYS)
def test_a_minimal_and_a_full_body_are_taken(stand, key):
    stand.taken(key, stand.site(*NEEDS.get(key, ()))(key))
    stand.taken(key, stand.site(*NEEDS.get(key, ()))(key, FULL))


@pytest.mark.parametrize("key", _KEYS)
def test_each_required_field_is_missed_when_absent_null_or_empty(stand, key):
    body = stand.site(*NEEDS.get(key, ()))(key)
    for place in _places(body):
        for change in (_drop, _put(None), _put(" ")):
            code, message = stand.refused(key, _changed(body, place, change))
            assert code == _FAILURES[key]
            assert f"{_called(place)}：" in message


@pytest.mark.parametrize("key", _KEYS)
def test_each_field_is_refused_in_another_json_type(stand, key):
    body = stand.site(*NEEDS.get(key, ()))(key, FULL)
    for place in _places(body):
        value = body
        for part in place:
            value = value[part]
        for wrong in (True, {}, str(value) if isinstance(value, (int, float)) else 5):
            _, message = stand.refused(key, _changed(body, place, _put(wrong)))
            assert f"{_called(place)}：类型应为" in message


@pytest.mark.parametrize("key", _KEYS)
def test_a_key_that_no_table_names_is_refused(stand, key):
    body = stand.site(*NEEDS.get(key, ()))(key)
    assert "其它：未知参数" in stand.refused(key, {**body, "其它": "1"})[1]
    name = next(iter(body))
    wrong_case = {**body, name.swapcase(): body[name]}
    assert f"{name.swapcase()}：未知参数" in stand.refused(key, wrong_case)[1]


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("team_exit", "exitAttachments"),
        ("team_exit", "payrollDetails"),
        ("team_work", "workloadAttach"),
        ("team_payroll", "materialAttach"),
    ],
)
def test_a_required_array_holds_something_and_only_objects(stand, key, name):
    body = stand.site(*NEEDS[key])
    assert f"{name}：必需参数为空" in stand.refused(key, body(key, **{name: []}))[1]
    assert f"{name}[0]：应为 JSON 对象" in stand.refused(key, body(key, **{name: ["证明"]}))[1]


def test_an_optional_field_may_not_be_null(stand):
    assert "tsp：不应为 null" in stand.refused("dust", stand.site()("dust", tsp=None))[1]


_NOT_A_DATE = ("2022-7-5", "2022/07/05", "20220705", "2022-02-30", "2022-07-05T00:00:00", "０２０２2-07-05")
_NOT_A_MOMENT = ("2022-07-05", "2022-07-05T09:00:00", "2022-07-05 9:00:00", "2022-07-05 24:00:00", "2022-07-05 09:00")
_DATES = {
    "worker_enter": (
        "enterdate birthdate nucleinacidtime consigndate constartdate conenddate probstartdate probenddate wpaymentdate"
    ),
    "worker_out": "outdate",
    "gate": "kqdate",
    "worker_certificate": "grantDate startDate expiryDate",
}
_MOMENTS = {"dust": "jctime", "vehicle": "analysetime", "mixer_vehicle": "analysetime", "gate": "dktime"}
_EITHER = {"team_exit": "teamTime appointDate settleDate", "team_work": "recordDate", "team_payroll": "actualDate"}


def _of(table):
    return [(key, name) for key, names in table.items() for name in names.split()]


@pytest.mark.parametrize(("key", "name"), _of(_DATES))
def test_a_date_is_a_day_of_the_calendar_in_its_one_form(stand, key, name):
    body = stand.site(*NEEDS.get(key, ()))
    for wrong in _NOT_A_DATE:
        assert f"{name}：日期格式应为 yyyy-MM-dd" in stand.refused(key, body(key, FULL, **{name: wrong}))[1]


@pytest.mark.parametrize(("key", "name"), _of(_MOMENTS))
def test_a_time_is_exact_to_the_second_in_its_one_form(stand, key, name):
    body = stand.site(*NEEDS.get(key, ()))
    for wrong in _NOT_A_MOMENT:
        assert f"{name}：时间格式应为 yyyy-MM-dd HH:mm:ss" in stand.refused(key, body(key, **{name: wrong}))[1]


@pytest.mark.parametrize(("key", "name"), _of(_EITHER))
def test_a_date_without_a_stated_form_has_one_of_the_two_known(stand, key, name):
    body = stand.site(*NEEDS[key])
    for right in ("2022-07-05", "2022-07-05 09:00:00"):
        stand.taken(key, body(key, **{name: right}))
    for wrong in ("0000-00-00", "2022-7-5", "七月五日"):
        assert f"{name}：日期格式应为" in stand.refused(key, body(key, **{name: wrong}))[1]


def test_permanent_is_for_the_certificates_two_dates_alone(stand):
    body = stand.site("team", "worker_enter")
    stand.taken("worker_certificate", body("worker_certificate", startDate="0000-00-00", expiryDate="0000-00-00"))
    for key, name in _of(_DATES):
        if name not in ("startDate", "expiryDate"):
            assert f"{name}：" in stand.refused(key, body(key, FULL, **{name: "0000-00-00"}))[1]


def test_an_entry_is_not_in_the_future_of_chinas_calendar(stand):
    body = stand.site("team")
    today = datetime.datetime.now(_CHINA).date()
    stand.taken("worker_enter", body("worker_enter", enterdate=(today - datetime.timedelta(1)).isoformat()))
    tomorrow = (today + datetime.timedelta(2)).isoformat()
    assert "enterdate：不能大于当前时间" in stand.refused("worker_enter", body("worker_enter", enterdate=tomorrow))[1]


@pytest.mark.parametrize(
    "name", ["tsp", "pm25", "pm10", "noise", "windspeed", "winddirection", "temperature", "humidity", "barometricpressure"]
)
def test_a_dust_figure_has_two_decimals(stand, name):
    body = stand.site()
    for wrong in ("35", "35.0", "35.000", "+35.00", ".35", "1e2", "三十五", "1,000.00"):
        assert f"{name}：应为保留两位小数的字符串" in stand.refused("dust", body("dust", FULL, **{name: wrong}))[1]


_CODES = [
    ("vehicle", "iostatus", ("1", "2"), ("0", "3", "进")),
    ("vehicle", "voituretype", ("渣土车", "其他"), ("1", "货车", "")),
    ("mixer_vehicle", "iostatus", ("1", "2"), ("01",)),
    ("team", "unittype", ("001", "012"), ("013", "6", "劳务分包")),
    ("team", "teamtype", (0,), (2,)),
    ("team", "isRealTeam", ("0", "1"), ("2", "是")),
    ("team", "teamWorkType", (1, 4), (0, 5)),
    ("team", "teamJobClass", (101, 308, 401), (117, 402)),
    ("worker_enter", "sex", (0, 1), (2,)),
    ("worker_enter", "politiccountenance", ("01", "13"), ("1", "14", "群众")),
    ("worker_enter", "qualifications", ("01", "08", "99"), ("3", "09")),
    ("worker_enter", "worktype", ("010", "390", "1000"), ("10", "050 ", "1033")),
    ("worker_enter", "ismajormedicalhistory", (0, 1), (2,)),
    ("worker_enter", "isnewlyarea", (0, 1), (-1,)),
    ("worker_enter", "isriskareahis", (0, 1), (2,)),
    ("worker_enter", "nucleinacidresult", (0, 2), (3,)),
    ("worker_enter", "vaccinationstatus", (0, 3), (4,)),
    ("worker_enter", "grtype", (20,), (30,)),
    ("worker_enter", "isteamleader", (0, 1), (2,)),
    ("gate", "rytype", ("10", "20"), ("30",)),
    ("gate", "dktype", (1, 2), (0, 3)),
    ("gate", "attendtype", ("001", "011"), ("1", "012")),
    ("gate", "worktype", ("040", "1099"), ("40",)),
    ("team_exit", "isSettledPayroll", (0, 1), (2,)),
    ("team_exit", "isHasbadness", (0, 1), (2,)),
    ("team_work", "isHasbadness", (0, 1), (2,)),
    ("team_payroll", "idCardType", ("01", "25", "99"), ("1", "26", "居民身份证")),
    ("worker_certificate", "idCardType", ("01", "20"), ("27",)),
    ("worker_certificate", "skillLevel", ("3",), ("0", "7", "03")),
    ("worker_certificate", "certificateType", ("050",), ("080", "50")),
    ("worker_certificate", "certificateStatus", (0, 1), (2,)),
]


@pytest.mark.parametrize(("key", "name", "right", "wrong"), _CODES)
def test_a_code_is_in_its_dictionary(stand, key, name, right, wrong):
    for value in right:
        stand.taken(key, stand.site(*NEEDS.get(key, ()))(key, FULL, **{name: value}))
    body = stand.site(*NEEDS.get(key, ()))
    for value in wrong:
        assert f"{name}：{value} 不在字典中" in stand.refused(key, body(key, FULL, **{name: value}))[1]


def test_codes_within_arrays_are_in_their_dictionaries(stand):
    body = stand.site("team", "worker_enter")
    detail = body("team_exit")["payrollDetails"][0]
    listed = {"badnessType": "08", "badnessAttachments": body("team_work")["workloadAttach"]}
    for key, changed, place in (
        ("team_exit", {"payrollDetails": [detail, {**detail, "idCardType": "27"}]}, "payrollDetails[1].idCardType"),
        ("team_exit", {"payrollDetails": [{**detail, "issettledPayroll": 2}]}, "payrollDetails[0].issettledPayroll"),
        ("team_work", {"badnessInfo": [listed]}, "badnessInfo[0].badnessType"),
        ("team_exit", {"badnessInfo": [{**listed, "badnessType": "其它"}]}, "badnessInfo[0].badnessType"),
    ):
        assert f"{place}：" in stand.refused(key, body(key, **changed))[1]


_PREFIX = "data:image/jpeg;base64,"
_PHOTOS = [("worker_enter", "facephoto"), ("worker_enter", "idcardfacade"), ("worker_enter", "idcardback"), ("gate", "photo")]
_BAD_IMAGES = [
    ("不是有效的 Base64", _PREFIX + "人脸照片"),
    ("不是有效的 Base64", PHOTO + "\r\n"),
    ("内容不是图片", _PREFIX + base64_of(b"hello")),
    ("内容不是图片", _PREFIX),
    ("不符", _PREFIX + base64_of(image_bytes("PNG"))),
    ("图片不完整", _PREFIX + base64_of(image_bytes()[:-2])),
    ("不是图片", "data:text/plain;base64," + BARE),
    ("不是图片", PDF),
]


@pytest.mark.parametrize(("key", "name"), _PHOTOS)
def test_a_persons_photo_keeps_its_prefix_and_is_a_picture_of_200_kb_at_most(stand, key, name):
    body = stand.site(*NEEDS[key])
    for reason, text in [*_BAD_IMAGES, ("缺少前缀", BARE), ("超过限制 200000", long_image(_PREFIX, 200_003))]:
        code, message = stand.refused(key, body(key, **{name: text}))
        assert code == _FAILURES[key]
        assert f"{name}：" in message
        assert reason in message
    stand.taken(key, body(key, **{name: long_image(_PREFIX, 199_999)}))
    stand.taken(key, body(key, **{name: "data:image/png;base64," + base64_of(image_bytes("PNG"))}))


@pytest.mark.parametrize(
    ("key", "name"), [("vehicle", "voitureimg"), ("mixer_vehicle", "voitureimg"), ("worker_certificate", "data")]
)
def test_a_picture_without_a_stated_prefix_is_taken_with_it_and_without(stand, key, name):
    for reason, text in _BAD_IMAGES:
        body = stand.site(*NEEDS.get(key, ()))
        assert reason in stand.refused(key, body(key, **{name: text}))[1]
        assert f"{name}：" in stand.refused(key, body(key, **{name: "data:" + BARE}))[1]
    for text in (BARE, PHOTO):
        stand.taken(key, stand.site(*NEEDS.get(key, ()))(key, **{name: text}))


@pytest.mark.parametrize(
    ("key", "name", "limit"), [("team_exit", "exitAttachments", 1_000_000), ("team_work", "workloadAttach", 1_000_000)]
)
def test_an_attachment_is_an_image_or_a_pdf_of_1_mb_at_most(stand, key, name, limit):
    body = stand.site(*NEEDS[key])
    stand.taken(key, body(key, **{name: [{"name": "图.jpg", "data": long_image("", limit)}]}))
    code, message = stand.refused(key, body(key, **{name: [{"name": "图.jpg", "data": long_image("", limit + 4)}]}))
    assert f"{name}[0].data：Base64 长度 {limit + 4} 超过限制 {limit}" in message
    assert (
        f"{name}[1].data：内容不是图片"
        in stand.refused(key, body(key, **{name: [{"name": "图", "data": BARE}, {"name": "字.doc", "data": base64_of(b"doc")}]}))[1]
    )


def test_a_certificates_picture_has_2_mb_at_most_and_is_no_pdf(stand):
    body = stand.site("team", "worker_enter")
    for wrong in (long_image("", 2_000_004), base64_of(b"%PDF-1.4\n%%EOF")):
        assert "data：" in stand.refused("worker_certificate", body("worker_certificate", data=wrong))[1]
    stand.taken("worker_certificate", body("worker_certificate", data=long_image("", 2_000_000)))


def test_a_broken_picture_is_seen_only_where_pictures_are_decoded(stand):
    data = image_bytes(side=64)
    broken = _PREFIX + base64_of(data[:100] + b"\x00" * 100 + data[-2:])
    stand.taken("gate", stand.site("team", "worker_enter")("gate", photo=broken))
    with running("--decode-images") as decoding:
        body = decoding.site("team", "worker_enter")
        assert "photo：图片无法解码" in decoding.refused("gate", body("gate", photo=broken))[1]
        decoding.taken("gate", body("gate"))


def test_a_gates_device_code_is_taken_in_both_of_the_documents_spellings_but_once(stand):
    body = stand.site("team", "worker_enter")("gate")
    example = {("devicecode" if name == "deviceCode" else name): value for name, value in body.items()}
    stand.taken("gate", example)
    assert "devicecode：与 deviceCode 重复" in stand.refused("gate", {**body, "devicecode": "G1"})[1]
    assert "devicecode：必需参数为空" in stand.refused("gate", {**example, "devicecode": ""})[1]


def test_a_body_that_is_no_json_object_or_names_a_key_twice_is_refused(stand):
    body = stand.site()
    stand.taken("dust", body("dust"))
    for raw in (b"", b"{", b"[]", b"a=1", b'{"pm25": NaN}', b'{"pm25": "1.00", "pm25": "1.00"}', b"\xff{}", b"[" * 100_000):
        path = "/api/wlwyczsjrsj/receive/yczssj/"
        answer = stand.client.post(path + stand.token, content=raw)
        assert (answer.status_code, answer.json()["errorcode"]["code"], answer.json()["data"]) == (200, "990025001", False)


def test_half_a_character_or_a_long_text_in_a_code_is_refused_like_any_other(stand):
    body = json.dumps(stand.site()("vehicle", iostatus="X"))
    stand.taken("dust", stand.site()("dust"))
    for wrong in ("\\ud800", "1" * 2000):
        raw = body.replace('"X"', f'"{wrong}"').encode()
        answer = stand.client.post("/api/wlwclsbjrsj/receive/clsbsj/" + stand.token, content=raw).json()
        assert "iostatus：" in answer["errorcode"]["message"]
        assert len(answer["errorcode"]["message"]) < 100
    assert stand.control("ledger")[-2]["body"]["iostatus"] == "\ud800"


def test_required_texts_may_be_empty_where_that_was_allowed():
    with running("--may-be-empty", "team_exit.appointDate", "--may-be-empty", "team_exit.payrollDetails.appointDate") as stand:
        body = stand.site("team", "worker_enter")
        detail = {**body("team_exit")["payrollDetails"][0], "appointDate": ""}
        stand.taken("team_exit", body("team_exit", appointDate="", payrollDetails=[detail]))
        assert "settleDate：必需参数为空" in stand.refused("team_exit", body("team_exit", settleDate=""))[1]


def test_the_code_of_a_refusal_can_be_set_where_the_document_has_none():
    with running("--failure-code", "900010104") as stand:
        body = stand.site()
        assert stand.refused("team", body("team", unittype="6"))[0] == "900010104"
        assert stand.refused("dust", body("dust", pm25="1"))[0] == "990025001"
