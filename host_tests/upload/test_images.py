"""Pictures go out upright, bare and within their limit, or not at all; never one in another's place."""

import base64
import io
import os
import random
import struct
import zlib
from dataclasses import replace
from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from hanma.upload import images
from hanma.upload.kept import Kept
from hanma.upload.record import Attachment
from host_tests.upload.small import ENTER, EXIT, GATE

_PHOTO = ENTER.field("facephoto")
_FILE = replace(_PHOTO, type="file")
_RED, _BLUE = (200, 30, 30), (30, 30, 200)


def _picture(size=(320, 200), mode="RGB"):
    """Return a blue picture whose upper left corner is red."""
    image = Image.new("RGB", size, _BLUE)
    ImageDraw.Draw(image).rectangle((0, 0, size[0] // 4, size[1] // 4), fill=_RED)
    return image.convert(mode)


def _saved(image, form="JPEG", **more):
    out = io.BytesIO()
    image.save(out, form, **more)
    return out.getvalue()


def _noise(width, height, seed):
    return Image.frombytes("RGB", (width, height), random.Random(seed).randbytes(width * height * 3))


def _prepared(tmp_path, data, name="a.jpg", field=_PHOTO):
    (tmp_path / name).write_bytes(data)
    return images.prepare(Attachment(name, name), field, tmp_path)


def _refused(tmp_path, data, name="a.jpg", field=_PHOTO):
    attachment, (problem,) = _prepared(tmp_path, data, name, field)
    assert attachment.data == b"" and problem.grave and problem.field == field.name
    assert name in problem.text() and name in problem.text("en") and problem.remedy()
    return problem.rule.name


def _opened(attachment):
    return Image.open(io.BytesIO(attachment.data))


def _corner(image):
    """Return which corner is red: "left top" and the like."""
    right, bottom = image.width - 5, image.height - 5
    spots = {"left top": (4, 4), "right top": (right, 4), "left bottom": (4, bottom), "right bottom": (right, bottom)}
    return [name for name, at in spots.items() if image.convert("RGB").getpixel(at)[0] > 150]


def test_a_small_upright_bare_jpeg_goes_out_byte_for_byte(tmp_path):
    data = _saved(_picture())
    attachment, problems = _prepared(tmp_path, data)
    assert (attachment.data, attachment.media, attachment.name, problems) == (data, "image/jpeg", "a.jpg", [])


@pytest.mark.parametrize("form", [{}, {"progressive": True}, {"restart_marker_rows": 1}])
def test_a_jpeg_of_any_build_passes_unchanged(tmp_path, form):
    data = _saved(_picture(), **form)
    assert _prepared(tmp_path, data)[0].data == data


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_ends_with_the_corner_where_the_eye_sees_it(tmp_path, orientation):
    upright = _picture()
    turns = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    stored = upright.transpose(turns[orientation]) if orientation in turns else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    made = _opened(_prepared(tmp_path, _saved(stored, exif=exif))[0])
    assert made.size == upright.size and _corner(made) == ["left top"] and not made.getexif()


def test_metadata_alone_is_taken_off_without_encoding_the_picture_again(tmp_path):
    image = _picture()
    exif = Image.Exif()
    exif[0x010F] = "SECRET maker"
    dirty = _saved(image, exif=exif, comment=b"SECRET words", icc_profile=b"SECRET profile", xmp=b"SECRET xmp") + b"SECRET trailer"
    attachment, problems = _prepared(tmp_path, dirty)
    assert problems == [] and b"SECRET" in dirty and b"SECRET" not in attachment.data
    assert _opened(attachment).tobytes() == Image.open(io.BytesIO(dirty)).tobytes()
    assert attachment.data == _saved(image)


def test_metadata_does_not_come_through_a_new_encoding(tmp_path):
    big = _saved(_noise(900, 700, 1), quality=95, comment=b"SECRET words", icc_profile=b"SECRET profile", xmp=b"SECRET xmp")
    attachment, problems = _prepared(tmp_path, big)
    assert problems == [] and b"SECRET" not in attachment.data


def test_bytes_hidden_between_the_segments_do_not_go_out(tmp_path):
    data = _saved(_picture())
    attachment, problems = _prepared(tmp_path, data[:20] + b"\0SECRET" + data[20:])
    assert b"SECRET" not in attachment.data and (problems or _opened(attachment).size == (320, 200))


def test_a_thumbnail_hidden_in_the_first_segment_is_taken_off(tmp_path):
    data = _saved(_picture())
    extension = b"JFXX\0\x10" + b"SECRET" * 20
    dirty = data[:20] + b"\xff\xe0" + struct.pack(">H", len(extension) + 2) + extension + data[20:]
    assert _prepared(tmp_path, dirty)[0].data == data


@pytest.mark.parametrize(
    ("form", "mode", "name"),
    [
        ("PNG", "RGB", "a.png"), ("PNG", "RGBA", "a.png"), ("PNG", "P", "a.png"), ("PNG", "L", "a.png"), ("PNG", "1", "a.png"),
        ("PNG", "LA", "a.png"), ("BMP", "RGB", "a.bmp"), ("WEBP", "RGB", "a.webp"), ("JPEG", "CMYK", "a.jpg"),
        ("AVIF", "RGB", "a.avif"), ("PNG", "RGB", "b.jpg"),
    ],
)  # fmt: skip
def test_every_other_picture_becomes_a_jpeg(tmp_path, form, mode, name):
    attachment, problems = _prepared(tmp_path, _saved(_picture(mode=mode), form), name)
    made = _opened(attachment)
    assert problems == [] and made.format == "JPEG" and made.mode in ("L", "RGB") and made.size == (320, 200)
    assert attachment.name == name[:2] + "jpg"


def test_what_is_transparent_becomes_white(tmp_path):
    made = _opened(_prepared(tmp_path, _saved(Image.new("RGBA", (64, 64), (0, 0, 0, 0)), "PNG"), "a.png")[0])
    assert min(made.getpixel((30, 30))) > 250


@settings(max_examples=12, deadline=None)
@given(
    st.integers(40, 700),
    st.integers(40, 700),
    st.integers(0, 9),
    st.integers(3_000, 120_000),
    st.booleans(),
    st.sampled_from(["JPEG", "PNG"]),
)
def test_even_noise_is_brought_under_the_limit_of_the_whole_text(tmp_path_factory, width, height, seed, most_b, keep, form):
    field = replace(_PHOTO, most_b=most_b, keep_prefix=keep)
    attachment, problems = _prepared(tmp_path_factory.mktemp("noise"), _saved(_noise(width, height, seed), form), "a.jpg", field)
    prefix = f"data:{attachment.media};base64," if attachment.media else ""
    text = prefix + base64.b64encode(attachment.data).decode()
    assert problems == [] and bool(prefix) == keep and len(text) <= most_b
    assert len(text) == images.text_length_b(len(attachment.data), attachment.media)
    assert abs(_opened(attachment).width / _opened(attachment).height - width / height) < 0.1 * width / height


def test_a_jpeg_one_byte_over_the_limit_is_encoded_again_and_at_the_limit_is_not(tmp_path):
    data = _saved(_picture())
    exact_b = images.text_length_b(len(data), "image/jpeg")
    assert _prepared(tmp_path, data, field=replace(_PHOTO, most_b=exact_b))[0].data == data
    smaller = _prepared(tmp_path, data, field=replace(_PHOTO, most_b=exact_b - 4))[0].data
    assert images.text_length_b(len(smaller), "image/jpeg") <= exact_b - 4


def test_a_limit_no_picture_can_keep_is_told(tmp_path):
    assert _refused(tmp_path, _saved(_picture()), field=replace(_PHOTO, most_b=300)) == "photo_no_fit"


def test_a_jpeg_cut_short_anywhere_is_refused(tmp_path):
    data = _saved(_noise(160, 120, 1))
    for length in range(1, len(data) - 2, len(data) // 25):
        assert _refused(tmp_path, data[:length]) == "photo_unreadable"


def test_a_jpeg_whole_in_its_segments_that_does_not_decode_is_refused(tmp_path):
    data = bytearray(_saved(_picture()))
    table = data.index(b"\xff\xc4")
    data[table + 5 : table + 21] = b"\xee" * 16
    assert _refused(tmp_path, bytes(data)) == "photo_unreadable"


@pytest.mark.parametrize(
    ("data", "name", "rule"),
    [
        (b"", "a.jpg", "photo_empty"),
        (b"no picture", "a.jpg", "photo_unreadable"),
        (b"GIF89a" + bytes(40), "a.jpg", "photo_unreadable"),
        (b"\0\0\0\x18ftypheic" + bytes(40), "a.heic", "photo_heic"),
        (b"%PDF-1.4 %%EOF", "a.pdf", "photo_unreadable"),
    ],
)
def test_what_is_no_picture_is_refused_by_its_name(tmp_path, data, name, rule):
    assert _refused(tmp_path, data, name) == rule


@pytest.mark.parametrize("side", [9_000, 60_000])
def test_a_picture_that_would_unpack_to_too_much_is_not_decoded(tmp_path, side):
    data = bytearray(_saved(Image.new("1", (8, 8)), "PNG"))
    data[16:24] = struct.pack(">II", side, side)
    data[29:33] = struct.pack(">I", zlib.crc32(bytes(data[12:29])))
    assert _refused(tmp_path, bytes(data), "a.png") == "photo_huge"


def test_only_files_of_the_photo_directory_are_read(tmp_path):
    photos = tmp_path / "照片"
    photos.mkdir()
    (tmp_path / "secret.jpg").write_bytes(_saved(_picture()))
    (photos / "link.jpg").symlink_to(tmp_path / "secret.jpg")
    (photos / "folder.jpg").mkdir()

    def rule(path):
        attachment, problems = images.prepare(Attachment("x", str(path)), _PHOTO, photos)
        return attachment.data, [one.rule.name for one in problems]

    assert rule("link.jpg") == rule("../secret.jpg") == rule(tmp_path / "secret.jpg") == (b"", ["photo_outside"])
    assert rule("none.jpg") == rule("folder.jpg") == rule("a\0b.jpg") == (b"", ["photo_missing"])


def test_a_path_may_be_written_from_beside_the_photo_directory_and_with_windows_marks(tmp_path):
    photos = tmp_path / "照片"
    (photos / "五月").mkdir(parents=True)
    data = _saved(_picture())
    (photos / "五月" / "a.jpg").write_bytes(data)
    for path in ("五月/a.jpg", "五月\\a.jpg", "照片/五月/a.jpg", "照片\\五月\\a.jpg"):
        assert images.prepare(Attachment("a.jpg", path), _PHOTO, photos)[0].data == data


def test_a_pdf_is_checked_at_both_ends_and_keeps_its_name(tmp_path):
    whole = b"%PDF-1.4\n" + bytes(3000) + b"\n%%EOF\n"
    attachment, problems = _prepared(tmp_path, whole, "退场 确认.pdf", _FILE)
    assert (attachment.name, attachment.media, attachment.data, problems) == ("退场 确认.pdf", "application/pdf", whole, [])
    assert _refused(tmp_path, whole[:-8], "a.pdf", _FILE) == "file_wrong_kind"
    assert _refused(tmp_path, whole[1:], "a.pdf", _FILE) == "file_wrong_kind"
    assert _refused(tmp_path, whole, "a.exe", _FILE) == "file_wrong_kind"
    assert _refused(tmp_path, whole, "a.pdf", replace(_FILE, most_b=4000)) == "file_over_limit"


def test_an_attachment_may_be_a_pdf_and_a_person_s_picture_may_not(tmp_path):
    whole = b"%PDF-1.4\n" + bytes(1300) + b"\n%%EOF\n"
    paper = EXIT.field("exitAttachments").fields[1]
    assert _prepared(tmp_path, whole, "退场.pdf", paper)[0].data == whole
    assert _refused(tmp_path, whole[:-8], "退场.pdf", paper) == "file_wrong_kind"
    assert _refused(tmp_path, whole, "certificate.pdf", replace(paper, privacy="id")) == "photo_unreadable"


def test_what_came_with_its_data_is_judged_like_a_file(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 3
    turned = Attachment("", data=_saved(_picture().transpose(Image.Transpose.ROTATE_180), exif=exif), media="image/jpeg")
    made, problems = images.prepare(turned, _PHOTO, tmp_path)
    assert problems == [] and _corner(_opened(made)) == ["left top"]
    _, (problem,) = images.prepare(Attachment("", data=b"no picture", media="image/jpeg"), _PHOTO, tmp_path)
    assert problem.grave and "人脸照片" in problem.text()


def test_a_card_s_sides_are_found_by_their_file_names(tmp_path):
    for name in ("44X.JPG", "44x_正面.png", "44X_背面.jpeg", "44X_正面.txt"):
        (tmp_path / name).write_bytes(b"x")
    found = [images.find(tmp_path, "44X", ENTER.field(name)) for name in ("facephoto", "idcardfacade", "idcardback")]
    assert [one.name for one, _ in found] == ["44X.JPG", "44x_正面.png", "44X_背面.jpeg"]
    assert images.find(tmp_path, "55", _PHOTO) == images.find(tmp_path / "none", "44X", _PHOTO) == (None, [])


def test_two_pictures_that_fit_are_a_problem_that_names_both(tmp_path):
    (tmp_path / "44X_反面.jpg").write_bytes(b"x")
    (tmp_path / "44X_背面.jpg").write_bytes(b"x")
    found, (problem,) = images.find(tmp_path, "44X", ENTER.field("idcardback"))
    assert found is None and problem.grave and "44X_反面.jpg" in problem.text() and "44X_背面.jpg" in problem.text()


def test_a_photo_added_later_is_found(tmp_path):
    assert images.find(tmp_path, "44X", _PHOTO) == (None, [])
    (tmp_path / "44X.jpg").write_bytes(b"x")
    os.utime(tmp_path, ns=(1, 1))
    assert images.find(tmp_path, "44X", _PHOTO)[0].path == "44X.jpg"


def test_a_person_s_standing_photo_is_never_taken_for_one_of_an_event():
    values = {"ryno": "44X", "dktime": datetime(2024, 5, 1, 8, 30)}
    assert images.stem(GATE, GATE.field("photo"), values) == "44X_20240501083000"
    assert images.stem(GATE, GATE.field("photo"), {"ryno": "44X"}) == ""
    assert images.stem(ENTER, _PHOTO, {"idcard": "44X"}) == "44X"
    certificate = replace(_PHOTO, name="data", label="附件 Base64", privacy="id")
    assert images.stem(ENTER, certificate, {"idcard": "44X"}) == ""
    assert images.stem(ENTER, ENTER.field("idcardback"), {"idcard": "44X"}) == "44X"


def test_one_photo_of_many_rows_is_decoded_once_and_again_when_it_is_another(tmp_path, monkeypatch):
    decoded = []
    monkeypatch.setattr(images, "_decode_roughly", decoded.append)
    first, second = (_saved(Image.new("RGB", (64, 64), colour)) for colour in (_RED, _BLUE))
    for _ in range(3):
        ready, problems = _prepared_again(tmp_path, first, at_ns=1_000_000_000)
        assert ready.data == first and ready.name == "a.jpg" and problems == []
    ready, _ = _prepared_again(tmp_path, second, at_ns=2_000_000_000)
    assert ready.data == second and decoded == [first, second]


def _prepared_again(tmp_path, data, at_ns):
    (tmp_path / "a.jpg").write_bytes(data)
    os.utime(tmp_path / "a.jpg", ns=(at_ns, at_ns))
    return images.prepare(Attachment("a.jpg", "a.jpg"), _PHOTO, tmp_path)


def test_what_is_kept_stays_below_its_limit_and_the_longest_unused_goes():
    kept = Kept(10)
    for number in range(3):
        kept.put(number, f"result {number}", 4)
        kept.get(0)
    assert [kept.get(number) for number in range(3)] == ["result 0", None, "result 2"]
    kept.put(0, "another", 10)
    assert [kept.get(number) for number in range(3)] == ["another", None, None]
    kept.put(3, "too large", 11)
    assert kept.get(3) is None
