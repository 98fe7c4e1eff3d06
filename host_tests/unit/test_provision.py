"""The batch file, the record, labels and images: what is refused, and with which words."""

import hashlib
import threading

import pytest

pytest.importorskip("segno")
pytest.importorskip("esptool")

from hanma.provision import batch, flash, label  # noqa: E402
from hanma.provision.record import Record  # noqa: E402
from hanma.provision.words import WORDS, Trouble  # noqa: E402
from host_tests.docs.images import image, program  # noqa: E402

_SECRET = "do-not-show-me-{}"


def _rows(tmp_path, text, base=None):
    path = tmp_path / "batch.csv"
    path.write_text(text, encoding="utf-8")
    return batch.load(path, {"host": "a.example", **(base or {})})


def _refusal(tmp_path, text, **base):
    with pytest.raises(Trouble) as met:
        _rows(tmp_path, text, base)
    return met.value.words("en")


def test_a_row_has_its_identity_its_settings_and_what_its_label_says(tmp_path):
    text = "device_id,secret,profile,apn,port,tls,qr,site\nT-1,do-not-show-me-1,iotda,cmiot,1883,false,https://q/1,north\n"
    (row,) = _rows(tmp_path, "\ufeff" + text)
    assert (row.device_id, row.number, row.qr, row.extra) == ("T-1", 2, "https://q/1", {"site": "north"})
    assert row.settings == {"profile": "iotda", "apn": "cmiot", "port": 1883, "tls": False}
    assert "do-not-show-me" not in repr(row)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("T-2,short,plain", "row 3 行: secret"),
        (",do-not-show-me-2,plain", "row 3 行: device_id"),
        ("T 2,do-not-show-me-2,plain", "row 3 行: device_id"),
        ("T-2,do-not-show-me 2,plain", "row 3 行: secret"),
        ("T-2,do-not-show-me-2,mqtt", "row 3 行: profile is not one of plain, iotda"),
        ("T-2,do-not-show-me-2", "row 3 行: more or fewer fields"),
        ("T-2,do-not-show-me-2,plain,more", "row 3 行: more or fewer fields"),
        ("T-1,do-not-show-me-2,plain", "row 3 行: device_id: the same as in row 2"),
        ("T-2,do-not-show-me-1,plain", "row 3 行: secret: the same as in row 2"),
    ],
)
def test_a_bad_row_is_named_by_its_number_and_its_secret_is_not_shown(tmp_path, line, said):
    refusal = _refusal(tmp_path, f"device_id,secret,profile\nT-1,do-not-show-me-1,plain\n{line}\n")
    assert said in refusal and "do-not-show-me" not in refusal


def test_every_bad_row_is_told_at_once(tmp_path):
    refusal = _refusal(tmp_path, "device_id,secret\n,x\nT-2,y\n")
    assert "row 2 行" in refusal and "row 3 行" in refusal


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "device_id is missing"),
        ("device_id\nT-1\n", "secret is missing"),
        ("device_id,secret\n", "no rows"),
        ("device_id,device_id,secret\nT-1,T-1,do-not-show-me\n", "there twice"),
    ],
)
def test_a_file_without_what_it_needs_is_refused(tmp_path, text, said):
    assert said in _refusal(tmp_path, text)


def test_settings_for_all_are_checked_with_each_row(tmp_path):
    assert "heartbeat_s is not a whole number" in _refusal(tmp_path, "device_id,secret\nT-1,do-not-show-me\n", heartbeat_s=1)


def test_a_file_of_keys_that_is_not_two_keys_is_refused_before_any_board(tmp_path):
    from typer.testing import CliRunner

    from hanma.cli import app

    batch_file, keys = tmp_path / "batch.csv", tmp_path / "release.keys"
    batch_file.write_text("device_id,secret,tls,host\nT-1,do-not-show-me,false,a.example\n")
    keys.write_bytes(b"k" * 384)
    words = ["provision", "/dev/none", "--batch", str(batch_file), "--keys", str(keys), "--record", str(tmp_path / "r.sqlite")]
    done = CliRunner().invoke(app, [*words, "--lang", "en"])
    assert done.exit_code == 1 and "two different keys" in done.output


def test_every_word_is_there_in_both_languages():
    for code, (chinese, english) in WORDS.items():
        names = lambda text: sorted(part.partition("}")[0] for part in text.split("{")[1:])  # noqa: E731
        assert chinese.strip() and english.strip() and names(chinese) == names(english), code
        assert any("\u4e00" <= letter <= "\u9fff" for letter in chinese), code


# ---- the record


def _some_rows(tmp_path, count):
    lines = "".join(f"T-{number},{_SECRET.format(number)}\n" for number in range(count))
    return _rows(tmp_path, "device_id,secret\n" + lines)


def test_an_identity_is_given_once_whoever_asks_at_the_same_time(tmp_path):
    rows = _some_rows(tmp_path, 20)
    record = Record(tmp_path / "record.sqlite")
    given = []
    threads = [threading.Thread(target=lambda chip=chip: given.append(record.give(f"c{chip}", rows))) for chip in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({row.device_id for row, _, _ in given}) == 20 and sorted(number for _, number, _ in given) == list(range(1, 21))


def test_a_chip_keeps_its_identity_and_number(tmp_path):
    rows = _some_rows(tmp_path, 3)
    first = Record(tmp_path / "record.sqlite").give("c1", rows)
    Record(tmp_path / "record.sqlite").give("c2", rows)
    again = Record(tmp_path / "record.sqlite").give("c1", rows)
    assert (first[0].device_id, first[1], first[2]) == ("T-0", 1, True)
    assert (again[0].device_id, again[1], again[2]) == ("T-0", 1, False)


def test_what_a_board_has_already_is_adopted_where_the_record_was_lost(tmp_path):
    rows = _some_rows(tmp_path, 3)
    record = Record(tmp_path / "record.sqlite")
    assert record.give("c9", rows, own="T-2")[0].device_id == "T-2"
    assert record.give("c1", rows, own="T-2")[0].device_id == "T-0"  # a copied board: that one is somebody else's


# ---- labels


def test_a_label_never_shows_the_secret(tmp_path):
    row = batch.make({"device_id": "T-1", "secret": "do-not-show-me", "qr": "x?key=do-not-show-me"}, {"host": "a.example"})
    with pytest.raises(label.LabelError, match="secret"):
        label.content(label.TEMPLATE, row, {})
    plain = batch.make({"device_id": "T-1", "secret": "do-not-show-me"}, {"host": "a.example"})
    with pytest.raises(label.LabelError) as met:
        label.content("{secret}", plain, {"number": 1})
    assert "do-not-show-me" not in str(met.value)


def test_a_label_takes_the_column_qr_else_the_template(tmp_path):
    row = batch.make({"device_id": "T-1", "secret": "do-not-show-me", "site": "north"}, {"host": "a.example"})
    assert label.content("https://p/{site}/{device_id}?n={number}", row, {"number": 7}) == "https://p/north/T-1?n=7"


def test_a_sheet_has_a_page_for_each_twenty_four_labels(tmp_path):
    label.save_sheet(tmp_path / "sheet.pdf", [(number, f"T-{number}", f"https://p/{number}") for number in range(25)])
    assert (tmp_path / "sheet.pdf").read_bytes().count(b"/Type /Page\n") == 2


# ---- images


def test_a_whole_image_is_shown_part_by_part():
    plan = flash.check(image(), "esp32")
    assert [(name, address) for name, address, _, _ in plan] == [
        ("bootloader", 0x1000), ("partition table", 0x8000), ("nvs", 0x9000), ("phy_init", 0xF000), ("factory", 0x10000),
    ]  # fmt: skip
    assert plan[0][3] and plan[-1][3] and not plan[2][3]


@pytest.mark.parametrize("at", [0x0, 0x40, 0x7004, 0xF000, 0xF040])
def test_an_image_with_one_wrong_byte_is_refused(at):
    data = bytearray(image())
    data[at] ^= 0x10
    with pytest.raises(flash.ImageError):
        flash.check(bytes(data), "esp32")


@pytest.mark.parametrize("length", [0, 0x100, 0x7100, 0xF000, 0xF080])
def test_an_image_that_ends_early_is_refused(length):
    with pytest.raises(flash.ImageError):
        flash.check(image()[:length], "esp32")


def test_an_image_for_another_chip_is_refused():
    with pytest.raises(flash.ImageError):
        flash.check(image(), "esp32s3")


def test_only_an_image_of_the_table_or_with_the_published_hash_is_known(tmp_path):
    data, table = image(), tmp_path / "images.csv"
    digest = hashlib.sha256(data).hexdigest()
    table.write_text(f"board,version,sha256\nlilygo_t_a7670,1.27.0,{digest}\n")
    assert flash.known_version(data, "lilygo_t_a7670", "", table) == "1.27.0"
    with pytest.raises(flash.ImageError, match="lilygo_t_a7670"):
        flash.known_version(data, "lilygo_t_relay_s3_simshield", "", table)
    with pytest.raises(flash.ImageError, match="not in boards/images.csv"):
        flash.known_version(data + b".", "lilygo_t_a7670", "", table)
    with pytest.raises(flash.ImageError, match="published"):
        flash.known_version(data + b".", "lilygo_t_a7670", digest, table)
    other = image(program(b"MicroPython v1.28.0 on 2026-04-06"))
    assert flash.known_version(other, "lilygo_t_a7670", hashlib.sha256(other).hexdigest(), table) == "1.28.0"


def test_an_image_that_was_tried_is_noted_once_under_the_version_that_it_says(tmp_path):
    data, table = image(program(b"v1.27.0 on 2025-12-09")), tmp_path / "images.csv"
    table.write_text("board,version,sha256\n")
    digest = hashlib.sha256(data).hexdigest()
    with pytest.raises(flash.ImageError, match="v1.27.1"):
        flash.note(data, "lilygo_t_a7670", "1.27.1", "", table)
    with pytest.raises(flash.ImageError, match="v1.27$"):
        flash.note(data, "lilygo_t_a7670", "1.27", "", table)
    with pytest.raises(flash.ImageError, match="published"):
        flash.note(data, "lilygo_t_a7670", "1.27.0", "0" * 64, table)
    assert flash.note(data, "lilygo_t_a7670", "1.27.0", digest.upper(), table) == f"lilygo_t_a7670,1.27.0,{digest}"
    assert flash.known_version(data, "lilygo_t_a7670", "", table) == "1.27.0"
    with pytest.raises(flash.ImageError, match="has this image"):
        flash.note(data, "lilygo_t_a7670", "1.27.0", "", table)


def test_the_command_notes_an_image_and_writes_to_no_chip(tmp_path, monkeypatch):
    from typer.testing import CliRunner

    from hanma.cli import app

    path, table = tmp_path / "image.bin", tmp_path / "images.csv"
    path.write_bytes(image(program(b"v1.27.0 on 2025-12-09")))
    table.write_text("board,version,sha256\n")
    monkeypatch.setattr(flash, "TABLE", table)
    monkeypatch.setattr(flash.esptool, "main", lambda words: pytest.fail("it wrote"))
    done = CliRunner().invoke(app, ["flash", str(path), "--register", "1.27.0"])
    assert done.exit_code == 0, done.output
    assert table.read_text().splitlines()[1].startswith("lilygo_t_a7670,1.27.0,")


def test_a_dry_run_shows_what_would_be_written_where_and_writes_nothing(tmp_path):
    from typer.testing import CliRunner

    from hanma.cli import app

    path = tmp_path / "image.bin"
    path.write_bytes(image())
    digest = hashlib.sha256(image()).hexdigest()
    done = CliRunner().invoke(app, ["flash", str(path), "/dev/none", "--dry-run", "--erase", "--sha256", digest])
    assert done.exit_code == 0, done.output
    assert "0x001000" in done.output and "erase-flash" in done.output and f"write-flash 0x1000 {path}" in done.output
