"""What all stand-ins share, seen at Shantou's: tokens and faults to order."""

import hashlib
import json
import socket
import time
from types import SimpleNamespace

import httpx
import pytest

from hanma.mock import shantou_tokens
from host_tests.upload.mock_shantou_world import ACCESS_ID, MINIMAL, SECRET, USER, running


@pytest.fixture(scope="module")
def stand():
    with running() as started:
        yield started


@pytest.fixture(autouse=True)
def _no_faults_left(request):
    yield
    if "stand" in request.fixturenames:
        request.getfixturevalue("stand").order()


def _code(answer):
    return answer["errorcode"]["code"]


def _taken_dust(stand):
    return [entry for entry in stand.control("ledger") if entry["endpoint"] == "dust" and entry["taken"]]


# Tokens ----------------------------------------------------------------------------------------------------------------


def test_a_token_is_given_in_the_shape_of_the_document_and_is_valid(stand):
    answer = stand.ask_token()
    context = answer["datacontext"]
    assert list(answer) == ["createtime", "errorcode", "datacontext"]
    assert list(context) == (
        [
            "accessToken",
            "userId",
            "loginDate",
            "clientIp",
            "userLoginname",
            "expireDate",
            "access_id",
            "access_secret",
            "code",
            "stid",
        ]
    )
    assert (context["userLoginname"], context["access_secret"], context["code"]) == (ACCESS_ID, SECRET, "0")
    check = stand.client.get("/api/openapi/checkaccesstokenisvalid/" + context["accessToken"]).json()
    assert (_code(check), check["datacontext"]) == ("0", True)
    check = stand.client.get("/api/openapi/checkaccesstokenisvalid/none").json()
    assert (_code(check), check["datacontext"]) == ("0", False)


def test_the_access_id_is_the_md5_of_the_user_name_in_lower_case():
    assert shantou_tokens.Tokens(USER, SECRET, 1).access_id == hashlib.md5(USER.encode()).hexdigest() == ACCESS_ID


def test_a_token_is_given_for_a_form_too(stand):
    form = {"access_id": ACCESS_ID, "access_secret": SECRET}
    assert _code(stand.client.post("/api/openapi/getaccesstoken", data=form).json()) == "0"


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"access_id": ACCESS_ID.upper()}, "900010102"),
        ({"access_id": USER}, "900010102"),
        ({"access_secret": "no"}, "900010101"),
        ({"access_secret": ""}, "900010101"),
        ({"access_id": 5}, "900010101"),
        ({"more": "1"}, "900010101"),
    ],
)
def test_no_token_is_given_for_wrong_credentials(stand, changed, code):
    answer = stand.ask_token(**changed)
    assert (_code(answer), answer["datacontext"]) == (code, None)


def test_a_token_unknown_or_over_is_refused_with_each_endpoints_own_code():
    with running("--token-life-s", 0) as stand:
        for key in MINIMAL:
            for token in (None, "none"):
                answer = stand.post(key, MINIMAL[key], token)
                assert _code(answer) == ("900010104" if key == "worker_out" else "900010103")
                assert (answer["errorcode"]["message"], answer["data"]) == ("accesstoken 不存在！", False)


def test_a_token_ends_when_its_expire_date_says(monkeypatch):
    clock = SimpleNamespace(now=shantou_tokens.now())
    monkeypatch.setattr(shantou_tokens, "now", lambda: clock.now)
    tokens = shantou_tokens.Tokens(USER, SECRET, 600)
    token, given, ends = tokens.give()
    assert (ends - given).total_seconds() == 600
    clock.now = ends - (ends - given) / 600
    assert tokens.is_valid(token)
    clock.now = ends
    assert not tokens.is_valid(token)


def test_a_token_asked_for_again_is_another_or_the_live_one_where_so_set():
    first, second = (shantou_tokens.Tokens(USER, SECRET, 600, same) for same in (False, True))
    assert first.give()[0] != first.give()[0]
    assert second.give() == second.give()
    token = second.give()[0]
    second.forget(token)
    assert second.give()[0] != token


# Faults ----------------------------------------------------------------------------------------------------------------


def test_an_http_error_comes_before_the_record_or_after_it(stand):
    body = stand.site()
    stand.taken("dust", body("dust"))
    before = len(_taken_dust(stand))
    path = "/api/wlwyczsjrsj/receive/yczssj/" + stand.token
    stand.order({"kind": "http", "endpoint": "dust", "status": 502})
    assert stand.client.post(path, json=body("dust")).status_code == 502
    assert len(_taken_dust(stand)) == before
    stand.order({"kind": "http", "after": True, "times": 2})
    assert [stand.client.post(path, json=body("dust")).status_code for _ in range(3)] == [503, 503, 200]
    assert [entry.get("fault") for entry in _taken_dust(stand)[before:]] == ["http", "http", None]


def test_garbage_is_an_answer_that_is_no_json(stand):
    body = stand.site()("dust")
    stand.taken("dust", body)
    stand.order({"kind": "garbage", "endpoint": "dust"})
    with pytest.raises(json.JSONDecodeError):
        stand.post("dust", body)
    stand.taken("dust", body)


@pytest.mark.parametrize(("kind", "taken"), [("cut_before", 0), ("cut_after", 1)])
def test_a_cut_closes_the_connection_before_the_record_is_taken_or_after(stand, kind, taken):
    body = stand.site()("dust")
    stand.taken("dust", body)
    before = len(_taken_dust(stand))
    stand.order({"kind": kind, "endpoint": "dust"})
    with pytest.raises(httpx.RemoteProtocolError):
        stand.post("dust", body)
    new = _taken_dust(stand)[before:]
    assert [entry["fault"] for entry in new] == [kind] * taken
    stand.taken("dust", body)


def test_an_expired_token_is_forgotten_and_a_new_one_serves(stand):
    for key, code in (("dust", "900010103"), ("worker_out", "900010104")):
        body = stand.site("team", "worker_enter")(key)
        stand.order({"kind": "token_expired", "endpoint": key})
        assert [_code(stand.post(key, body)) for _ in range(2)] == [code, code]
        stand.token = None
        stand.taken(key, body)


def test_a_system_error_and_a_refusal_are_spoken_in_the_endpoints_own_codes(stand):
    body = stand.site("team", "worker_enter")
    stand.order(
        {"kind": "system_error", "times": 2}, {"kind": "refuse", "times": 2}, {"kind": "refuse", "code": "1", "message": "m"}
    )
    answers = [stand.post(key, body(key)) for key in ("dust", "worker_out", "dust", "worker_out", "dust", "dust")]
    assert [_code(answer) for answer in answers] == ["900010199", "900010200", "990025001", "990025005", "1", "0"]
    assert [answer["data"] for answer in answers] == [False] * 5 + [True]
    assert answers[0]["errorcode"]["message"] == "系统异常！"
    assert answers[4]["errorcode"]["message"] == "m"


def test_tokens_and_checks_can_be_made_to_fail(stand):
    stand.order({"kind": "refuse", "endpoint": "token"}, {"kind": "token_expired", "endpoint": "check"})
    assert _code(stand.ask_token()) == "900010102"
    token = stand.ask_token()["datacontext"]["accessToken"]
    path = "/api/openapi/checkaccesstokenisvalid/" + token
    assert [_code(stand.client.get(path).json()) for _ in range(2)] == ["900010103", "0"]
    assert stand.client.get(path).json()["datacontext"] is False


def test_slow_waits_and_then_the_record_is_taken(stand):
    body = stand.site()("dust")
    stand.taken("dust", body)
    before = len(_taken_dust(stand))
    stand.order({"kind": "slow", "endpoint": "dust", "delay_s": 0.6})
    path = "/api/wlwyczsjrsj/receive/yczssj/" + stand.token
    with pytest.raises(httpx.ReadTimeout):
        stand.client.post(path, json={**body, "noise": "1.00"}, timeout=0.2)
    stand.taken("dust", {**body, "noise": "2.00"})
    deadline = time.monotonic() + 10
    while len(_taken_dust(stand)) < before + 2:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert [entry["body"]["noise"] for entry in _taken_dust(stand)[before:]] == ["2.00", "1.00"]


def test_a_caller_who_dies_within_a_body_leaves_no_record_and_no_traceback(stand):
    body = stand.site()("dust")
    stand.taken("dust", body)
    before = len(stand.control("ledger"))
    host, port = stand.ready["url"].removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as dying:
        head = f"POST /api/wlwyczsjrsj/receive/yczssj/{stand.token} HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n{{"
        dying.sendall(head.encode())
        stand.control("counts")
    stand.taken("dust", body)
    assert len(stand.control("ledger")) == before + 1


def test_every_nth_request_of_an_endpoint_fails_until_the_orders_are_cleared(stand):
    body = stand.site()
    stand.taken("dust", body("dust"))
    stand.order({"kind": "refuse", "endpoint": "dust", "every": 3}, {"kind": "system_error", "endpoint": "vehicle"})
    codes = [_code(stand.post("dust", body("dust"))) for _ in range(7)]
    assert codes == ["0", "0", "990025001"] * 2 + ["0"]
    listed = stand.control("faults")
    assert [(fault["kind"], fault["seen"], fault["fired"]) for fault in listed] == [("refuse", 7, 2), ("system_error", 0, 0)]
    assert stand.control("faults", "DELETE") == []
    stand.taken("vehicle", body("vehicle"))


@pytest.mark.parametrize(
    "orders",
    [
        {"kind": "slow"},
        [{}],
        [{"kind": "flood"}],
        [{"kind": "slow", "delay_s": -1}],
        [{"kind": "slow", "times": 0}],
        [{"kind": "slow", "endpoint": "dusty"}],
        [{"kind": "slow", "often": 1}],
    ],
)
def test_an_order_that_is_not_understood_is_refused_whole(stand, orders):
    answer = stand.client.post(f"{stand.ready['control']}/faults", json=orders)
    assert (answer.status_code, stand.control("faults")) == (400, [])
    assert answer.json()["error"]
