"""The golden files themselves: whole, typed as texts in, and with bodies that the strict stand-ins take.

A golden file is {"about", "input", "body"}: what a clerk types and the exact JSON that must leave. `<image:NAME>` in a body
stands where the image's data URI goes, `<token>` where Jiangsu's token goes.
"""

import base64
import io
import json
import pathlib
import re

import pytest
from PIL import Image

from hanma.mock import jiangsu, shantou, shantou_fields, shantou_options
from host_tests.upload.served import serving

_GOLDEN = pathlib.Path(__file__).parent / "golden"
_SHANTOU = sorted(path for path in (_GOLDEN / "shantou").glob("*.json") if path.name != "example_keys.json")
_JIANGSU = sorted((_GOLDEN / "jiangsu").glob("*.json"))
_ENDPOINTS = {endpoint.key: endpoint for endpoint in shantou_fields.ENDPOINTS}
_TABLES = [f"{number:02d}" for number in range(1, 10)]
_EPIDEMIC = {
    *("isriskareahis", "riskarea", "cityhistory", "departureplace", "nucleinacidtime", "nucleinacidresult"),
    *("vaccinationstatus", "healthcodepic", "travelcardpic"),
    *("lmstatus", "hsxx", "ymzs"),
}
# What must be registered before the others: teams, then those who enter them.
_FIRST = [
    *("team_minimal", "team_full", "team_management"),
    *("worker_enter_minimal", "worker_enter_full", "worker_enter_manager"),
]
_EMPTY = frozenset({"team_exit.appointDate", "team_exit.settleDate", "team_exit.payrollDetails.appointDate"})
_IMAGE = re.compile(r"<image:([\w.]+)>")
_CITIZEN = re.compile(r"440500[0-9]{11}[0-9X]")
_CREDIT = re.compile(r"91[0-9]{6}MA[0-9A-Z]{8}")


def _read(path):
    return json.loads(path.read_text(encoding="utf-8"))


def _names(paths):
    return [path.stem for path in paths]


def _leaves(value, at=""):
    """Yield (name of the nearest key, leaf) of a JSON value."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _leaves(item, name)
    elif isinstance(value, list):
        for item in value:
            yield from _leaves(item, at)
    else:
        yield at, value


def _endpoint(stem):
    """Return the endpoint of a golden file's name; the longest fits, since team_exit begins with team_ too."""
    return max((key for key in _ENDPOINTS if stem.startswith(key + "_")), key=len)


@pytest.fixture(scope="module")
def photo():
    """A real small JPEG as a data URI."""
    made = io.BytesIO()
    Image.new("RGB", (24, 32), (90, 120, 150)).save(made, "JPEG")
    return "data:image/jpeg;base64," + base64.b64encode(made.getvalue()).decode()


def _filled(body, photo, token=""):
    """Return a body as it leaves: images and token in their places."""
    text = _IMAGE.sub(lambda _: photo, json.dumps(body, ensure_ascii=False)).replace("<token>", token)
    return json.loads(text)


@pytest.fixture
def shantou_platform():
    with serving(shantou, shantou_options.Options(may_be_empty=_EMPTY, decode_images=True)) as served:
        # Of the user name "admin", as in the document's example.
        credentials = {"access_id": "21232f297a57a5a743894a0e4a801fc3", "access_secret": shantou_options.Options.secret}
        answer = served.client.post("/api/openapi/getaccesstoken", json=credentials).json()
        served.token = answer["datacontext"]["accessToken"]
        yield served


def _post_to_shantou(platform, endpoint, body):
    """Return (code, message) of the platform's answer."""
    error = platform.client.post(_ENDPOINTS[endpoint].path + platform.token, json=body).json()["errorcode"]
    return error["code"], error["message"]


def _register_the_site(platform, photo):
    """Let the teams and workers of the golden files in, and one worker who has a passport."""
    bodies = [(stem, _filled(_read(_GOLDEN / "shantou" / f"{stem}.json")["body"], photo)) for stem in _FIRST]
    entered = dict(bodies)["worker_enter_minimal"]
    bodies.append(("worker_enter_passport", {**entered, "idcard": "E00000000", "isteamleader": 0}))
    for stem, body in bodies:
        assert _post_to_shantou(platform, _endpoint(stem), body) == ("0", "成功"), stem


@pytest.mark.parametrize("endpoint", _ENDPOINTS)
def test_each_endpoint_has_a_minimal_and_a_full_body(endpoint):
    assert {f"{endpoint}_minimal", f"{endpoint}_full"} <= set(_names(_SHANTOU))


@pytest.mark.parametrize("table", _TABLES)
def test_each_table_has_a_minimal_and_a_full_body(table):
    assert {f"{table}_minimal", f"{table}_full"} <= set(_names(_JIANGSU))
    assert {_read(path)["body"]["txcode"] for path in _JIANGSU if path.stem.startswith(table)} == {table}


@pytest.mark.parametrize("path", [*_SHANTOU, *_JIANGSU], ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_golden_file_says_what_it_is_about_and_its_input_is_what_a_clerk_types(path):
    golden = _read(path)
    assert list(golden) == ["about", "input", "body"]
    assert golden["about"].endswith(".")
    assert all(isinstance(leaf, str) for _, leaf in _leaves(golden["input"]))


@pytest.mark.parametrize("path", _SHANTOU, ids=_names(_SHANTOU))
def test_no_epidemic_field_leaves_and_no_other_field_is_left_behind(path):
    golden = _read(path)
    assert set(golden["input"]) - set(golden["body"]) <= _EPIDEMIC
    assert not set(golden["body"]) - set(golden["input"])
    assert not _EPIDEMIC & set(golden["body"])


@pytest.mark.parametrize("path", [*_SHANTOU, *_JIANGSU], ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_each_image_that_leaves_is_one_that_the_clerk_named(path):
    golden = _read(path)
    sent = [_IMAGE.fullmatch(leaf)[1] for _, leaf in _leaves(golden["body"]) if isinstance(leaf, str) and "<image" in leaf]
    named = [leaf for name, leaf in _leaves({k: v for k, v in _items(golden["input"]) if k not in _EPIDEMIC}) if name == "file"]
    assert sent == named


def _items(given):
    """Return the items of an input: one record's, or those of several, told apart by their number."""
    return given.items() if isinstance(given, dict) else enumerate(given)


def test_the_twelve_epidemic_fields_are_all_filled_in_somewhere():
    filled = {name for path in _SHANTOU for name in _read(path)["input"]}
    assert filled >= _EPIDEMIC


def test_every_citizen_id_and_credit_code_has_its_right_check_digit():
    leaves = [leaf for path in [*_SHANTOU, *_JIANGSU] for _, leaf in _leaves(_read(path)["input"])]
    people = {leaf for leaf in leaves if _CITIZEN.fullmatch(leaf)}
    units = {leaf for leaf in leaves if _CREDIT.fullmatch(leaf)}
    assert len(people) == 4 and any(number.endswith("X") for number in people)
    assert len(units) == 4
    for number in people:
        # GB 11643: the weighted sum is 1 modulo 11, X counting ten.
        assert sum((10 if digit == "X" else int(digit)) * 2 ** (17 - at) for at, digit in enumerate(number)) % 11 == 1
    alphabet = "0123456789ABCDEFGHJKLMNPQRTUWXY"
    for code in units:
        # GB 32100: the weighted sum is 0 modulo 31.
        assert sum(alphabet.index(letter) * 3**at for at, letter in enumerate(code[:17])) % 31 == -alphabet.index(code[17]) % 31


def test_the_keys_of_a_full_body_stand_in_the_order_of_the_document_s_example():
    for endpoint, example in _read(_GOLDEN / "shantou" / "example_keys.json").items():
        places = [name.lower() for name in example]
        body = _read(_GOLDEN / "shantou" / f"{endpoint}_full.json")["body"]
        common = [name.lower() for name in body if name.lower() in places]
        assert common == [name for name in places if name in common], endpoint
        assert len(common) == len(set(places) - _EPIDEMIC), endpoint


@pytest.mark.parametrize("path", _SHANTOU, ids=_names(_SHANTOU))
def test_shantou_s_stand_in_takes_the_body(shantou_platform, photo, path):
    _register_the_site(shantou_platform, photo)
    if path.stem not in _FIRST:
        body = _filled(_read(path)["body"], photo)
        assert _post_to_shantou(shantou_platform, _endpoint(path.stem), body) == ("0", "成功")


@pytest.mark.parametrize("path", _JIANGSU, ids=_names(_JIANGSU))
def test_jiangsu_s_stand_in_takes_the_body(photo, path):
    body = _read(path)["body"]
    with serving(jiangsu, jiangsu.Options(today="2026-11-21")) as served:
        answer = served.client.get(jiangsu.TOKEN_PATH, params={"appid": "appid", "secret": "secret"}).json()
        token = answer["data"]["access_token"]
        if body["busType"] != "I":
            held = _read(path.with_stem(f"{body['txcode']}_full"))["body"]
            served.client.post(jiangsu.BATCH_PATH, json=_filled(held, photo, token))
        sent = served.client.post(jiangsu.BATCH_PATH, json=_filled(body, photo, token)).json()
        assert sent["rescode"] == "1", served.last()["message"]
