"""The settings: every mistake named, a broken file kept aside, a save that is whole or nothing."""

import ast
import importlib.util
import json
import os
import re
import shutil

import pytest
from drivers import config as driver
from hypothesis import given, settings
from hypothesis import strategies as st

from host_tests.unit import replay
from terminal import config
from terminal.limits import SETTINGS

GOOD = {"host": "platform.example"}


def problems_of(**given):
    """Return what is wrong with these settings beside a host."""
    return config.check({**GOOD, **given})[1]


def load_file(directory, data, save=None):
    """Put data there as config.json, load it (and save); return the driver's result."""
    text = None if data is None else data.hex()
    return driver.run({"dir": str(directory), "file": text, "save": save})


def test_every_default_but_the_host_is_within_its_own_range():
    assert config.check({})[1] == ["host is not given"]
    assert problems_of() == []


def _read_while_it_serves(path):
    """Return the settings that a file of the firmware asks for outside __init__."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name != "__init__":
            found |= set(re.findall(r"config\.([a-z_]+)", ast.unparse(node)))
    return found & {field[0] for field in config.FIELDS}


def test_every_setting_that_is_read_while_the_terminal_serves_is_still_there_then():
    tree = ast.parse((replay.FIRMWARE / "terminal" / "app.py").read_text(encoding="utf-8"))
    lasting = next(node for node in tree.body if isinstance(node, ast.Assign) and node.targets[0].id == "_LASTING")
    kept = set(ast.literal_eval(lasting.value))
    rooms = [path for path in (replay.FIRMWARE / "terminal").glob("*.py") if path.stem not in ("app", "start", "config")]
    assert set().union(*map(_read_while_it_serves, rooms)) <= kept


def test_no_field_is_named_twice():
    names = [field[0] for field in config.FIELDS]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(("name", "low", "high"), [(row[0], *row[3:]) for row in config.FIELDS if row[1] == "int"])
def test_a_number_is_taken_at_its_limits_and_refused_beyond(name, low, high):
    assert problems_of(**{name: low}) == problems_of(**{name: high}) == []
    for value in (low - 1, high + 1):
        values, problems = config.check({**GOOD, name: value})
        assert problems == [f"{name} is not a whole number from {low} to {high}; {config.defaults()[name]} is used"]
        assert values[name] == config.defaults()[name]


def test_the_interlocks_settings_are_all_here():
    assert {row[0] for row in SETTINGS} <= set(config.defaults())


def test_idle_lock_may_be_off_but_not_short():
    assert problems_of(idle_lock_s=0) == problems_of(idle_lock_s=300) == []
    assert len(problems_of(idle_lock_s=299)) == 1


@pytest.mark.parametrize("value", [True, 60.0, "60", None, [60], {}])
def test_what_is_no_number_is_refused_as_a_number(value):
    assert len(problems_of(heartbeat_s=value)) == 1


@pytest.mark.parametrize("value", [0, 1, "true", None])
def test_what_is_neither_true_nor_false_is_refused_as_a_switch(value):
    assert len(problems_of(tls=value)) == 1


@pytest.mark.parametrize("pin", ["", "1234", "12345678", "123", "123456789", "12a4", 1234])
def test_a_pin_is_digits(pin):
    good = pin in ("", "1234", "12345678")
    values, problems = config.check({"host": "h", "sim_pin": pin})
    assert (values["sim_pin"] == pin) == good
    assert bool(problems) != good and "12" not in "".join(problems)


@pytest.mark.parametrize("value", ['a"b', "a b", "a\r\nAT+CPOF", "中国移动", "a\\b", "x" * 64, "\ud800", 5])
def test_nothing_that_could_end_an_at_commands_argument_gets_into_the_apn(value):
    assert len(problems_of(apn=value)) == 1


@pytest.mark.parametrize("value", ["up/#", "+/up", "a/{imei}", "a/{request_id}", "a}b"])
def test_a_report_topic_takes_no_wildcard_and_no_unknown_name(value):
    assert len(problems_of(topic_up=value)) == 1


@pytest.mark.parametrize("value", ["a/command", "a/{request_id}/b", "{request_id}/{request_id}", "+/{request_id}", 5])
def test_a_command_topic_ends_with_the_request_id(value):
    assert len(problems_of(topic_command=value)) == 1
    assert problems_of(topic_command="a/{device_id}/cmd/request_id={request_id}") == []


def test_only_known_causes_count_as_an_outage_and_refused_is_none_of_them():
    assert problems_of(outage_causes=["no_sim", "no_signal"]) == problems_of(outage_causes=[]) == []
    for value in (["refused"], ["taken_over"], ["weather"], "no_sim", [5]):
        assert len(problems_of(outage_causes=value)) == 1


def test_every_problem_is_named_and_the_good_settings_stay():
    values, problems = config.check({"host": "h", "port": 0, "profile": "x", "heartbeat_s": 30, "colour": "red"})
    assert [problem.split(" ")[0] for problem in problems] == ["profile", "port", '"colour"']
    assert (values["port"], values["profile"], values["heartbeat_s"]) == (8883, "plain", 30)
    assert "colour" not in values


def test_settings_are_read_as_attributes_and_items(tmp_path):
    (tmp_path / "config.json").write_text('{"host": "h", "apn": "cmnet"}')
    loaded, problems = config.load(str(tmp_path / "config.json"))
    assert (loaded.host, loaded["apn"], loaded.broken, problems) == ("h", "cmnet", False, [])
    with pytest.raises(AttributeError):
        _ = loaded.colour


BROKEN = [
    b"",
    b"{",
    b"[]",
    b'"host"',
    b"null",
    b"\xff\xfe",
    b'{"host": "h"',
    b"[" * 8000,
    b'{"a":' * 1600,
    b'{"host": "' + b"h" * 8192 + b'"}',
]


@pytest.mark.parametrize("data", BROKEN, ids=range(len(BROKEN)))
def test_a_broken_file_leaves_the_defaults_and_is_kept_aside(tmp_path, micropython, data):
    result = load_file(tmp_path, data)
    assert result["first"]["broken"]
    assert len(result["first"]["problems"]) == 1
    expected = config.defaults()
    assert result["first"]["values"] == {**expected, "outage_causes": list(expected["outage_causes"])}
    assert result["files"] == ["config.bad"]
    assert result["aside"] == data.hex()
    os.remove(tmp_path / "config.bad")
    again = micropython.call("config", {"dir": str(tmp_path), "file": data.hex()})
    assert again["first"]["broken"]
    assert again["aside"] == data.hex()


def test_a_missing_file_is_told_apart_from_a_broken_one(tmp_path):
    result = load_file(tmp_path, None)
    assert result["first"]["problems"] == [f"{tmp_path}/config.json is missing; all defaults are used"]
    assert result["first"]["broken"]
    assert result["files"] == []


def test_a_file_that_cannot_be_read_just_now_stays_where_it_is(tmp_path):
    (tmp_path / "config.json").mkdir()
    result = load_file(tmp_path, None)
    assert result["first"]["broken"]
    assert result["files"] == ["config.json"]


def test_what_is_saved_is_loaded_again_and_nothing_else_is_left(tmp_path):
    saved = {"host": "h", "port": 1883, "tls": False, "outage_causes": ["no_sim"]}
    result = load_file(tmp_path, b"{}", json.dumps(saved))
    assert result["second"]["problems"] == []
    assert {name: result["second"]["values"][name] for name in saved} == saved
    assert result["files"] == ["config.json"]


def test_bad_settings_are_not_saved_and_the_old_file_stays(tmp_path):
    result = load_file(tmp_path, b'{"host": "old"}', '{"host": "new", "port": 0, "colour": 1}')
    assert [problem.split(" ")[0] for problem in result["refused"]] == ["port", '"colour"']
    assert result["second"]["values"]["host"] == "old"


def test_a_power_cut_before_the_rename_leaves_the_old_settings(tmp_path, monkeypatch):
    path = tmp_path / "config.json"
    path.write_text('{"host": "old"}')

    def cut(*_):
        raise OSError(5)

    monkeypatch.setattr(config.os, "rename", cut)
    with pytest.raises(OSError):
        config.save({"host": "new"}, str(path))
    assert config.load(str(path))[0].host == "old"
    monkeypatch.undo()
    config.save({"host": "new"}, str(path))
    assert config.load(str(path))[0].host == "new"


def test_a_flash_that_keeps_something_else_is_noticed_before_the_old_file_goes(tmp_path, monkeypatch):
    path = tmp_path / "config.json"
    path.write_text('{"host": "old"}')
    monkeypatch.setattr(config, "_read", lambda path: b"worn out")
    with pytest.raises(config.ConfigError):
        config.save({"host": "new"}, str(path))
    assert json.loads(path.read_text()) == {"host": "old"}


def documentation():
    """Load docs/configuration.py, which is no module of a package."""
    spec = importlib.util.spec_from_file_location("configuration", replay.ROOT / "docs" / "configuration.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_setting_is_explained_and_nothing_else_is():
    assert list(documentation().MEANINGS) == [field[0] for field in config.FIELDS]


@pytest.mark.parametrize("name", ["configuration.md", "configuration.zh-CN.md"])
def test_the_page_is_what_the_table_says_today(name):
    module = documentation()
    assert (replay.ROOT / "docs" / name).read_text(encoding="utf-8") == module.page(module.PAGES[name])


NAMES = st.sampled_from([field[0] for field in config.FIELDS])
VALUE = st.one_of(
    st.integers(-5, 90000),
    st.booleans(),
    st.none(),
    st.text(st.characters(codec="utf-8"), max_size=70),
    st.sampled_from(["plain", "iotda", "gcj02", "paras", "a/{device_id}", "a/{request_id}", "ca.pem"]),
    st.lists(st.sampled_from(["no_sim", "no_signal", "refused"]), max_size=3),
    st.floats(allow_nan=False, allow_infinity=False),
)


@settings(max_examples=200, deadline=None)
@given(given=st.dictionaries(st.one_of(NAMES, st.text("abc_", max_size=5)), VALUE, max_size=8))
def test_whatever_is_given_the_values_used_are_good_and_micropython_agrees(micropython, given):
    result = driver.run({"given": given})
    assert micropython.call("config", {"given": given}) == result
    used = dict(result["values"], host=result["values"]["host"] or "h")
    assert config.check(used)[1] == []
    named = [problem.split(" ")[0].strip('"') for problem in result["problems"]]
    for name in given:
        assert (result["values"].get(name) == given[name] and name not in named) or name in named


def test_micropython_saves_and_loads_alike(tmp_path, micropython):
    case = {
        "dir": str(tmp_path / "flash"),
        "file": b'{"host": "old"}'.hex(),
        "save": '{"host": "h", "port": 1883}',
    }
    results = []
    for run in (driver.run, lambda case: micropython.call("config", case)):
        os.mkdir(case["dir"])
        results.append(run(case))
        shutil.rmtree(case["dir"])
    assert results[0] == results[1]
