"""The mapping file: what is wrong in it is told by its line, and what the document asks for can't be left out."""

from importlib import resources
from pathlib import Path

import pytest

from hanma.upload.jobs import mapping
from hanma.upload.jobs.mapping import MappingError, line_of
from hanma.upload.site import Site

EXAMPLE = (resources.files("hanma.upload") / "data" / "chongqing-mapping.example.toml").read_text("utf-8")


def loaded(folder, text):
    path = folder / "mapping.toml"
    path.write_text(text, "utf-8")
    return mapping.load(path)


def changed(old, new):
    assert old in EXAMPLE
    return EXAMPLE.replace(old, new, 1)


def line_with(text, part):
    return next(number for number, line in enumerate(text.splitlines(), 1) if part in line)


def test_the_example_is_a_sound_mapping_and_says_that_it_is_one(tmp_path):
    assert loaded(tmp_path, EXAMPLE).example


# What is written → what it becomes, a part of the line that is named, what is said.
FAULTS = {
    "unknown path": ('welderId = "ids.welder"', 'welderId = "ids.wleder"', "ids.wleder", "nothing is called ids.wleder"),
    "no source": ('jobNo = "job"', "jobNo = { codes = {} }", "jobNo = { codes", "either from or const"),
    "two sources": ('jobNo = "job"', 'jobNo = { from = "job", const = 1 }', "const = 1", "either from or const"),
    "time without form": (
        'startTime = { from = "on.relay_ms", time = "yyyy-MM-dd HH:mm:ss" }', 'startTime = "on.relay_ms"',
        'startTime = "on.relay_ms"', "a time needs a form",
    ),
    "form that is none": ('time = { from = "state.at_ms", time = "yyyy', 'time = { from = "state.at_ms", time = "YYYY',
                          '"YYYY', "YYYY is no part of a time"),
    "file without a way": (
        'photo = { from = "guardian.photo", files = "inline", prefix = true }', 'photo = "guardian.photo"',
        'photo = "guardian.photo"', "a file needs files",
    ),
    "address without base": (
        'files = "address", base = "https://files.example/"', 'files = "address"', '"permit.files" =', "needs base",
    ),
    "optional fact": ('welderId = "ids.welder"', 'welderId = { from = "ids.welder", optional = true }',
                      'welderId = { from = "ids.welder", opt', "can't be optional"),
    "missing fact": ('endLng = { from = "off.position.lng", as = "number" }\n', "", "[reports.power_off.fields]", "结束时经度"),
    "unmarked estimate": ('endEstimated = "off.estimated"\n', "", "[reports.power_off.fields]", "must be marked"),
    "unknown key": ("number = \"data.applyId\"", 'numbr = "x"', 'numbr = "x"', "Extra inputs"),
    "question about nothing": (
        'deviceNo = "device" }\nrows', 'deviceNo = "job" }\nrows', 'deviceNo = "job"', "nothing is called job",
    ),
    "people in an address": (
        'ask = { kind = { const = "welder" }', 'method = "GET"\nask = { kind = { const = "welder" }', "[queries.welder]",
        "may not stand in an address",
    ),
    "code without success": ("ok = [200]\n", "", "[answers]", "belong together"),
    "half an address": ('path = "/example/job/record"', 'path = "example"', 'path = "example"', "pattern"),
    "two kinds of header": (
        'credential = "token"', 'credential = "token", const = "x"', "credential =", "either credential or const",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_told_with_its_line(tmp_path, name):
    old, new, part, words = FAULTS[name]
    text = changed(old, new)
    with pytest.raises(MappingError) as refused:
        loaded(tmp_path, text)
    told = str(refused.value)
    assert f"line {line_with(text, part)}:" in told
    assert words in told


def test_every_fault_is_told_at_once(tmp_path):
    text = changed('welderId = "ids.welder"', 'welderId = "a"').replace('guardianId = "ids.guardian"', 'guardianId = "b"')
    with pytest.raises(MappingError) as refused:
        loaded(tmp_path, text)
    told = [one for one in str(refused.value).splitlines() if "nothing is called" in one]
    assert [("called a here" in one, "called b here" in one) for one in told] == [(True, False), (False, True)]


def test_a_report_left_out_is_missed(tmp_path):
    start, end = EXAMPLE.index("[reports.power_on]"), EXAMPLE.index("[reports.power_off]")
    with pytest.raises(MappingError, match="reports.power_on: .*this report is missing"):
        loaded(tmp_path, EXAMPLE[:start] + EXAMPLE[end:])


def test_text_that_is_no_toml_is_told_with_its_line(tmp_path):
    with pytest.raises(MappingError, match="line 3"):
        loaded(tmp_path, "v = 1\n\n= 2\n")


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(MappingError, match="none.toml"):
        mapping.load(tmp_path / "none.toml")


def test_the_example_itself_can_not_be_used(tmp_path):
    loaded(tmp_path, EXAMPLE)
    with pytest.raises(MappingError, match="this is the example"):
        mapping.of_site(Site(name="s", platform="chongqing", directory=tmp_path, settings={"mapping": "mapping.toml"}))


def test_a_site_without_a_mapping_is_told_what_to_write():
    with pytest.raises(MappingError, match="mapping = "):
        mapping.of_site(Site(name="s", platform="chongqing"))


def test_a_site_s_own_mapping_is_loaded(tmp_path):
    loaded(tmp_path, changed("example = true\n", ""))
    found = mapping.of_site(Site(name="s", platform="chongqing", directory=tmp_path, settings={"mapping": "mapping.toml"}))
    assert not found.example


def test_a_line_is_found_under_quoted_and_dotted_keys():
    text = 'a = 1\n[b."c d"]\n"e.f" = 2\n[b]\ng.h = 3\n'
    assert [line_of(text, where) for where in (("b", "c d", "e.f"), ("b", "g", "h", "deep"), ("a",), ("z",))] == [3, 5, 1, 1]


@pytest.mark.parametrize("name", ["jobs.md", "jobs.zh-CN.md"])
def test_the_documentation_lists_every_path_of_every_report(name):
    told = (Path(__file__).resolve().parents[2] / "docs" / name).read_text("utf-8")
    for table in mapping.REPORTS:
        part = told.split(f"### `{table}`")[1].split("\n### ")[0]
        known, required = mapping.paths(table)
        rows = [line.split("|") for line in part.splitlines() if line.startswith("| `")]
        assert [row[1].strip(" `") for row in rows] == list(known)
        assert [row[1].strip(" `") for row in rows if row[3].strip()] == list(required)
