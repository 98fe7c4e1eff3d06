"""The stand-in of Chongqing's platform: what its stated contract asks, what it keeps and how it is asked."""

import json

import httpx
import pytest

from hanma.mock import chongqing
from hanma.mock.chongqing_store import StoreError
from host_tests.upload.served import serving

_BASIC = [
    {"kind": "terminal", "id": "T1", "name": "一号焊机", "site": {"code": "S1"}},
    {"kind": "terminal", "id": "T2", "name": "二号焊机", "site": {"code": "S2"}},
    {"kind": "welder", "id": 7, "name": "李四"},
]
_CONTRACT = {
    "basic": {"entries": _BASIC},
    "application": {
        "path": "/api/apply",
        "id": "job.no",
        "required": ["job.no", "permit.files", "welder"],
        "references": {"welder": "welder", "device": "terminal"},
    },
}
_APPLICATION = {"job": {"no": "J1"}, "permit": {"files": ["ticket.jpg"]}, "welder": 7, "device": "T1"}


@pytest.fixture
def platform():
    with serving(chongqing, chongqing.Options(chongqing.contract(_CONTRACT))) as served:
        yield served


def _post(platform, path, body):
    return platform.client.post(path, json=body).json()


def _without(path):
    """Return the application without what lies at a dotted name."""
    body = json.loads(json.dumps(_APPLICATION))
    *way, last = path.split(".")
    holder = body
    for part in way:
        holder = holder[part]
    del holder[last]
    return body


def test_a_report_is_answered_with_the_members_of_the_measure_s_response(platform):
    answer = _post(platform, "/api/apply", _APPLICATION)
    assert list(answer) == ["success", "message", "code", "result", "timestamp"]
    assert (answer["success"], answer["code"]) == (True, 200)
    assert isinstance(answer["timestamp"], int) and answer["timestamp"] > 1_600_000_000_000


@pytest.mark.parametrize("name", ["job.no", "permit.files", "welder", "device", "job"])
def test_a_report_without_a_name_that_the_contract_wants_is_refused_by_that_name(platform, name):
    answer = _post(platform, "/api/apply", _without(name))
    assert (answer["success"], answer["code"]) == (False, 500)
    assert answer["message"].startswith(name)
    assert _post(platform, "/query/records", {})["result"] == []


@pytest.mark.parametrize(
    "changes",
    [{"permit": {"files": []}}, {"welder": 8}, {"device": 7}, {"job": {"no": ""}}, {"job": {"no": True}}, {"job": "J1"}],
)
def test_an_empty_value_or_an_unknown_reference_is_refused(platform, changes):
    assert _post(platform, "/api/apply", {**_APPLICATION, **changes})["success"] is False


def test_a_part_that_the_contract_leaves_out_has_its_usual_address_and_wants_an_id_alone(platform):
    answers = [_post(platform, f"/report/{key}", {"id": "J1"})["success"] for key in ("state", "on", "off")]
    assert answers == [True, True, True]
    assert _post(platform, "/report/state", {"no": "J1"})["success"] is False


@pytest.mark.parametrize("content", [b"[]", b"{", b"\xff", b'"text"'])
def test_what_is_not_a_json_object_in_utf8_is_refused(platform, content):
    assert platform.client.post("/report/on", content=content).json()["code"] == 500


def test_the_basic_query_gives_the_records_that_hold_every_value_asked_for(platform):
    asked = ({"kind": "terminal", "site.code": "S2"}, {"id": "7"}, {})
    found = [_post(platform, "/query/basic", wanted)["result"] for wanted in asked]
    assert found == [[_BASIC[1]], [], _BASIC]


def test_the_record_query_gives_what_was_reported_and_the_newest_content_of_an_id(platform):
    _post(platform, "/report/off", {"id": "J1", "seconds": 60})
    _post(platform, "/report/off", {"id": "J1", "seconds": 61})
    _post(platform, "/report/on", {"id": "J1", "guardian": 3})
    assert _post(platform, "/query/records", {"report": "off"})["result"] == [{"id": "J1", "seconds": 61}]
    assert len(_post(platform, "/query/records", {"id": "J1"})["result"]) == 2
    assert _post(platform, "/query/records", {"guardian": 3})["result"] == [{"id": "J1", "guardian": 3}]
    assert _post(platform, "/query/records", {"report": "elsewhere"})["success"] is False


def test_the_same_report_again_is_a_success_that_the_ledger_counts_as_a_repeat(platform):
    assert [_post(platform, "/report/off", {"id": "J1"})["success"] for _ in range(2)] == [True, True]
    assert platform.ledger.counts()["endpoints"]["off"] == {"taken": 2, "refused": 0, "repeated": 1}


def test_the_store_is_kept_over_a_restart_without_the_line_that_a_kill_cut_short(tmp_path):
    path = tmp_path / "store.jsonl"
    with serving(chongqing, chongqing.Options(store=str(path))) as served:
        for seconds in (60, 60, 61):
            _post(served, "/report/off", {"id": "J1", "seconds": seconds, "photo": "x" * 5000})
    assert len(path.read_text(encoding="utf-8").splitlines()) == 2
    path.write_bytes(path.read_bytes() + b'{"report": "off", "id": "J2", "rec')
    with serving(chongqing, chongqing.Options(store=str(path))) as served:
        assert _post(served, "/query/records", {})["result"] == [{"id": "J1", "seconds": 61, "photo": "x" * 5000}]
        _post(served, "/report/off", {"id": "J3"})
    assert [json.loads(line)["id"] for line in path.read_text(encoding="utf-8").splitlines()] == ["J1", "J1", "J3"]


def test_a_store_that_is_no_store_is_not_started_on(tmp_path):
    path = tmp_path / "store.jsonl"
    path.write_text("[1]\n")
    with pytest.raises(StoreError, match="store.jsonl"):
        chongqing.make_application(chongqing.Options(store=str(path)), None, None)


def test_a_cut_after_acceptance_leaves_the_record_to_be_found(platform):
    platform.order("cut_after", endpoint="off")
    with pytest.raises(httpx.TransportError):
        _post(platform, "/report/off", {"id": "J1"})
    assert _post(platform, "/query/records", {"report": "off", "id": "J1"})["result"] == [{"id": "J1"}]


@pytest.mark.parametrize(("kind", "message"), [("token_expired", "凭证无效"), ("refuse", "拒绝"), ("system_error", "系统异常")])
def test_an_ordered_refusal_is_spoken_and_keeps_nothing(platform, kind, message):
    platform.order(kind, endpoint="on")
    assert _post(platform, "/report/on", {"id": "J1"})["message"] == message
    assert _post(platform, "/query/records", {})["result"] == []


def test_a_contract_is_read_from_json_and_from_toml(tmp_path):
    (tmp_path / "contract.json").write_text(json.dumps(_CONTRACT, ensure_ascii=False), encoding="utf-8")
    (tmp_path / "contract.toml").write_text('[on]\npath = "/监护"\nrequired = ["guardian"]\n', encoding="utf-8")
    assert chongqing.read_contract(tmp_path / "contract.json") == chongqing.contract(_CONTRACT)
    assert chongqing.read_contract(tmp_path / "contract.toml")["on"] == chongqing.Part("/监护", required=("guardian",))


@pytest.mark.parametrize(
    "given",
    [
        [],
        {"onn": {}},
        {"on": []},
        {"on": {"path": "report"}},
        {"on": {"id": ""}},
        {"on": {"required": "id"}},
        {"on": {"references": ["welder"]}},
        {"on": {"entries": []}},
        {"basic": {"entries": ["T1"]}},
        {"on": {"must": []}},
        {"on": {"path": "/report/off"}},
    ],
)
def test_a_contract_that_cannot_be_understood_is_refused(tmp_path, given):
    path = tmp_path / "contract.json"
    path.write_text(json.dumps(given))
    with pytest.raises(chongqing.ContractError):
        chongqing.read_contract(path)
