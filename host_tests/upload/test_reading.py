"""Files become rows: nothing lost, nothing guessed, and every refusal in words a clerk can act on."""

import csv
import io
import json
import zipfile
from datetime import datetime

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl.utils.datetime import CALENDAR_MAC_1904

from hanma.upload import reading
from hanma.upload.flaws import ReadingError

_WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\0", exclude_categories=("Cs",)), min_size=1, max_size=12).filter(
    str.strip
)


def _csv(values, delimiter):
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter).writerows(values)
    return text.getvalue()


def _refusal(path, sheet=None):
    with pytest.raises(ReadingError) as caught:
        list(reading.read(path, sheet))
    return caught.value.problem.rule.name


def _book(tmp_path, rows, merges=(), title="表"):
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = title
    for row in rows:
        sheet.append(row)
    for one in merges:
        sheet.merge_cells(one)
    path = tmp_path / "a.xlsx"
    book.save(path)
    return path


def _rewritten(path, part, change):
    """Write the archive again with one part changed."""
    with zipfile.ZipFile(path) as archive:
        parts = {one: archive.read(one) for one in archive.namelist()}
    parts[part] = change(parts[part])
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)


def _problems(row):
    return {one.place.column: one.rule.name for one in row.problems}


def _damaged(data, rng):
    """Return the bytes with a few of them changed, lost or doubled."""
    damaged = bytearray(data)
    for _ in range(rng.randint(1, 5)):
        at = rng.randrange(len(damaged))
        length = rng.randint(1, 40)
        damaged[at : at + length * rng.randrange(2)] = rng.choice([b"", rng.randbytes(1), bytes(damaged[:length])])
    return bytes(damaged) or b"x"


@settings(max_examples=60, deadline=None)
@given(st.randoms(use_true_random=False))
def test_a_workbook_damaged_anywhere_inside_is_read_or_refused_and_never_fails_otherwise(tmp_path_factory, rng):
    path = _book(tmp_path_factory.mktemp("damaged"), [("a", "b"), ("x", 1), ("=A2", "y")], ["A2:A3"])
    with zipfile.ZipFile(path) as archive:
        part = rng.choice(sorted(archive.namelist()))
    _rewritten(path, part, lambda text: _damaged(text, rng))
    try:
        assert all(row.cells for row in reading.read(path))
    except ReadingError as refused:
        assert refused.problem.remedy()


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(_WORDS, _WORDS), min_size=1, max_size=6),
    st.sampled_from(",;\t"),
    st.sampled_from(["utf-8", "utf-8-sig", "gb18030"]),
)
def test_what_is_written_as_csv_is_read_back_in_every_encoding_and_separator(tmp_path_factory, rows, delimiter, encoding):
    path = tmp_path_factory.mktemp("csv") / "a.csv"
    path.write_bytes(_csv([("姓名", "住址"), *rows], delimiter).encode(encoding))
    assert [tuple(row.cells.values()) for row in reading.read(path)] == rows


def test_a_row_has_the_number_a_spreadsheet_shows_for_it(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text('姓名,住址\n张三,"一行\n二行"\n\n李四,乙\n', "utf-8")
    assert [row.place.row for row in reading.read(path)] == [2, 4]


def test_utf16_as_excel_writes_it_is_read(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes("姓名\t号\n张三\t01\n".encode("utf-16"))
    assert [row.cells for row in reading.read(path)] == [{"姓名": "张三", "号": "01"}]


def test_text_that_two_encodings_could_have_written_is_refused(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes("name,school\nx,学校\n".encode("gb18030"))
    assert _refusal(path) == "file_encoding_unsure"


def test_bytes_of_no_known_encoding_are_refused(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(b"name,school\nx,\xff\xff\n")
    assert _refusal(path) == "file_encoding"


def test_a_csv_may_name_its_separator_first(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("sep=;\na;b,c\n1;2\n", "utf-8")
    assert [(row.place.row, row.cells) for row in reading.read(path)] == [(3, {"a": "1", "b,c": "2"})]


def test_lines_of_other_length_than_the_headings_say_so(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("a,b\n1\n1,2,3\n1,2,\n", "utf-8")
    assert [[one.rule.name for one in row.problems] for row in reading.read(path)] == [["line_short"], ["cell_without_heading"], []]


def test_an_open_quote_is_told_with_the_row_it_opens_in(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text('a,b\n1,2\n1,"2\n3,4\n', "utf-8")
    with pytest.raises(ReadingError) as caught:
        list(reading.read(path))
    assert (caught.value.problem.rule.name, caught.value.problem.place.row) == ("csv_form", 3)


def test_a_line_without_end_is_refused_before_it_fills_the_memory(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("a,b\n" + "x" * (2 << 20), "utf-8")
    assert _refusal(path) == "line_long"


def test_a_doubled_heading_loses_neither_value(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("姓名,姓名\n甲,乙\n", "utf-8")
    assert [row.cells for row in reading.read(path)] == [{"姓名": "甲", "姓名#2": "乙"}]
    assert reading.headings(path) == ["姓名", "姓名"]


def test_a_cell_longer_than_excel_holds_is_told_and_left_out(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("a,b\n" + "x" * 40_000 + ",2\n", "utf-8")
    (row,) = reading.read(path)
    assert row.cells == {"a": None, "b": "2"} and _problems(row) == {"a": "cell_long"}


def test_a_workbook_keeps_each_cell_s_own_type(tmp_path):
    at = datetime(2024, 5, 1, 8, 30)
    path = _book(tmp_path, [("a", "b", "c", "d", "e"), ("0123", 440500199001011234, 36.5, at, True)])
    (row,) = reading.read(path)
    assert [type(one) for one in row.cells.values()] == [str, float, float, datetime, bool]
    assert row.cells["a"] == "0123" and row.cells["d"] == at


@pytest.mark.parametrize("epoch", [None, CALENDAR_MAC_1904])
def test_dates_of_both_date_systems_are_the_same_day(tmp_path, epoch):
    book = openpyxl.Workbook()
    if epoch:
        book.epoch = epoch
    book.active.append(["a", "b"])
    book.active.append([datetime(2024, 2, 29), 1])
    book.save(tmp_path / "a.xlsx")
    assert [row.cells["a"] for row in reading.read(tmp_path / "a.xlsx")] == [datetime(2024, 2, 29)]


def test_a_title_above_the_headings_is_passed_over_and_rows_keep_their_numbers(tmp_path):
    path = _book(tmp_path, [("五月考勤",), ("a", "b"), (), (1, 2)], ["A1:B1"])
    assert [(row.place.row, row.cells) for row in reading.read(path)] == [(4, {"a": 1, "b": 2})]


def test_merged_cells_among_the_rows_are_told_in_every_row_they_cover(tmp_path):
    path = _book(tmp_path, [("a", "b"), ("x", 1), (None, 2), ("y", 3)], ["A2:A3"])
    assert [_problems(row) for row in reading.read(path)] == [{"a": "cell_merged"}, {"a": "cell_merged"}, {}]


def test_headings_in_two_lines_are_refused(tmp_path):
    assert _refusal(_book(tmp_path, [("a", "b"), (None, "c"), (1, 2)], ["A1:A2"])) == "headings_merged"


def test_error_cells_and_formulas_nobody_reckoned_are_told_not_read_as_empty(tmp_path):
    path = _book(tmp_path, [("a", "b", "c"), ("=1+1", "#N/A", 3)])
    (row,) = reading.read(path)
    assert row.cells == {"a": None, "b": None, "c": 3}
    assert _problems(row) == {"a": "formula_without_value", "b": "cell_error"}


def test_a_formula_whose_result_is_an_empty_text_is_an_empty_cell(tmp_path):
    path = _book(tmp_path, [("a", "b"), ('=""', 3)])
    _rewritten(path, "xl/worksheets/sheet1.xml", lambda text: text.replace(b'<c r="A2"', b'<c r="A2" t="str"'))
    (row,) = reading.read(path)
    assert (row.cells, row.problems) == ({"a": None, "b": 3}, [])


def test_sheets_are_those_a_person_filled_in(tmp_path):
    book = openpyxl.Workbook()
    book.active.title = "填写说明"
    for name in ("班组", "字典"):
        book.create_sheet(name).append(["a", "b"])
    book["字典"].sheet_state = "hidden"
    book["班组"].append([1, 2])
    book.save(tmp_path / "a.xlsx")
    assert reading.sheets(tmp_path / "a.xlsx") == ["班组"]
    assert [row.place.sheet for row in reading.read(tmp_path / "a.xlsx")] == ["班组"]
    assert _refusal(tmp_path / "a.xlsx", "考勤") == "sheet_missing"


@pytest.mark.parametrize(
    ("name", "content", "rule"),
    [
        ("a.xls", bytes.fromhex("d0cf11e0a1b11ae1") + bytes(600), "file_xls"),
        ("a.xlsx", bytes.fromhex("d0cf11e0a1b11ae1") + bytes(600) + "EncryptedPackage".encode("utf-16-le"), "file_password"),
        ("a.xlsx", b"no archive at all", "file_broken"),
        ("a.xlsx", b"PK\3\4 cut", "file_broken"),
        ("a.xlsx", b"", "sheet_empty"),
        ("a.csv", b"", "sheet_empty"),
        ("~$a.xlsx", b"x", "file_lock"),
        ("a.docm", b"x", "file_kind"),
    ],
)
def test_a_file_that_is_no_table_is_refused_with_what_to_do(tmp_path, name, content, rule):
    (tmp_path / name).write_bytes(content)
    assert _refusal(tmp_path / name) == rule


def test_a_file_that_another_program_holds_says_so(tmp_path, monkeypatch):
    def held(*_, **__):
        raise PermissionError

    path = _book(tmp_path, [("a", "b"), (1, 2)])
    monkeypatch.setattr(type(path), "open", held)
    assert _refusal(path) == "file_busy"


def test_a_file_that_is_not_there_and_an_empty_sheet_are_told(tmp_path):
    assert _refusal(tmp_path / "none.csv") == "file_missing"
    assert _refusal(_book(tmp_path, [])) == "sheet_empty"


def test_a_workbook_cut_short_anywhere_is_refused_or_read_whole(tmp_path):
    path = _book(tmp_path, [("a", "b")] + [(f"x{number}", number) for number in range(200)])
    whole = path.read_bytes()
    for length in range(10, len(whole), 97):
        path.write_bytes(whole[:length])
        assert _refusal(path) == "file_broken"


def test_an_archive_that_would_unpack_to_too_much_is_not_opened(tmp_path):
    path = _book(tmp_path, [("a", "b"), (1, 2)])
    with (
        zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive,
        archive.open("xl/sharedStrings2/sharedStrings.xml", "w") as part,
    ):
        for _ in range(101):
            part.write(bytes(1_000_000))
    assert _refusal(path) == "file_large"


def test_an_archive_that_is_no_workbook_is_refused(tmp_path):
    path = _book(tmp_path, [("a", "b"), (1, 2)])
    _rewritten(
        path, "[Content_Types].xml", lambda text: text.replace(b"spreadsheetml.sheet.main", b"wordprocessingml.document.main")
    )
    assert _refusal(path) == "file_broken"


def test_a_workbook_with_a_document_type_is_refused(tmp_path):
    path = _book(tmp_path, [("a", "b"), (1, 2)])
    kind = '<!DOCTYPE x [<!ENTITY a "aaaa">]>'
    _rewritten(path, "xl/workbook.xml", lambda text: (kind + text.decode()).encode("utf-16"))
    assert _refusal(path) == "file_broken"
    _rewritten(path, "xl/workbook.xml", lambda text: text.decode("utf-16").encode())
    assert _refusal(path) == "file_broken"
    _rewritten(path, "xl/workbook.xml", lambda text: text.decode().removeprefix(kind).encode())
    assert [row.cells for row in reading.read(path)] == [{"a": 1, "b": 2}]


def test_a_sheet_that_lies_about_its_size_is_read_whole(tmp_path):
    path = _book(tmp_path, [("a", "b"), (1, 2), (3, 4)])
    _rewritten(path, "xl/worksheets/sheet1.xml", lambda text: text.replace(b'ref="A1:B3"', b'ref="A1:A1"'))
    assert [row.cells for row in reading.read(path)] == [{"a": 1, "b": 2}, {"a": 3, "b": 4}]


def test_json_lines_keep_types_and_nested_lists_and_count_every_line():
    rows = list(reading.read_stream(['{"a": "01", "b": [{"c": 1.5}], "d": null}\n', "\n", '{"a": true}'], "-"))
    assert [(row.place.row, row.cells) for row in rows] == [(1, {"a": "01", "b": [{"c": 1.5}], "d": None}), (3, {"a": True})]


def test_pictures_come_in_json_lines_by_name_or_as_data_texts():
    cells = {"photo": "data:image/jpeg;base64," + "A" * 200_000, "card": {"file": "a.jpg"}, "files": ["b.jpg", {"data": "c.jpg"}]}
    (row,) = reading.read_stream([json.dumps(cells)])
    assert (row.cells, row.problems) == (cells, [])


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ('{"a": 1, "a": 2}', "json_doubled"),
        ('{"b": [{"a": 1, "a": 2}]}', "json_doubled"),
        ("[1]", "json_type"),
        ('{"a": {"b": 1}}', "json_type"),
        ('{"a": [1]}', "json_type"),
        ('{"a": NaN}', "json_type"),
        ('{"a": 1e999}', "json_type"),
        ('{"a": 1', "json_form"),
        ("[" * 100_000, "json_form"),
        ('{"a": ' + "9" * 5000 + "}", "json_form"),
        ('{"a": "' + "x" * 40_000 + '"}', "cell_long"),
    ],
)
def test_a_json_line_that_can_t_be_a_record_is_a_row_with_its_problem_and_no_cells(line, rule):
    bad, good = reading.read_stream([line, '{"a": 1}'])
    assert (bad.cells, [one.rule.name for one in bad.problems], bad.place.row) == ({}, [rule], 1)
    assert good.cells == {"a": 1}


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-8", "gb18030"])
def test_json_lines_in_a_file_are_decoded_as_csv_is(tmp_path, encoding):
    path = tmp_path / "a.jsonl"
    path.write_bytes('{"姓名": "学"}\n'.encode(encoding))
    assert [row.cells for row in reading.read(path)] == [{"姓名": "学"}]


def test_json_lines_in_an_encoding_that_can_t_be_told_are_refused(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes('{"a": "学"}'.encode("gb18030"))
    assert _refusal(path) == "file_encoding_unsure"
