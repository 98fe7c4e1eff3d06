"""Pictures and documents as the authorities take them: upright, without metadata, the whole base64 text within its limit.

A JPEG that is already all that goes out as it is, byte for byte; one with metadata alone loses it without being encoded again.
What can't be read is refused by its name; no picture is ever put in another's place. Sizes are in bytes (_b), decimal units.
"""

import io
import math
import re
import unicodedata
import warnings
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from PIL import Image, ImageOps

from .kept import Kept
from .problems import Problem, Rule
from .record import Attachment

MISSING = Rule(
    "photo_missing",
    "找不到文件 {name}",
    "There is no file {name}",
    "请放进照片目录，或改正文件名",
    "Put it into the photo directory, or mend its name",
)
OUTSIDE = Rule(
    "photo_outside",
    "{name} 不在照片目录里",
    "{name} is not in the photo directory",
    "请把文件本身（不是快捷方式）放进照片目录",
    "Put the file itself there, not a link",
)
EMPTY = Rule("photo_empty", "{name} 是空文件", "{name} is empty", "请重新拷贝或重拍", "Copy it again, or take another")
UNREADABLE = Rule(
    "photo_unreadable",
    "{name} 打不开或不完整",
    "{name} can't be read, or not to its end",
    "请重新拷贝或重拍",
    "Copy it again, or take another",
)
HEIC = Rule(
    "photo_heic",
    "{name} 是 HEIC 格式，这里打不开",
    "{name} is HEIC, which can't be read here",
    "请在手机里选“兼容性最佳”，或另存为 JPG",
    "Save it as JPEG",
)
HUGE = Rule("photo_huge", "{name} 的像素或字节过多", "{name} has too many pixels or bytes", "请缩小后再用", "Make it smaller")
NO_FIT = Rule(
    "photo_no_fit", "{name} 压缩后仍超过 {most} 字节", "{name} can't be brought under {most} bytes", "请裁剪后再用", "Crop it"
)
FILE_LARGE = Rule(
    "file_over_limit",
    "{name} 编码后 {has} 字节，超过 {most} 字节",
    "{name} has {has} bytes when encoded; the limit is {most}",
    "请压缩或分成几个文件",
    "Make it smaller or part it",
)
WRONG_KIND = Rule(
    "file_wrong_kind",
    "{name} 不是这里能收的文件，或内容与后缀不符",
    "{name} is no kind of file that is taken here, or not what its name says",
    "请用 {kinds}",
    "Use {kinds}",
)
TWO = Rule(
    "photo_two", "有两个文件都合适：{first}、{second}", "Two files fit: {first}, {second}", "请只留一个", "Leave one of them"
)

_MOST_FILE_B = 50_000_000
# The cameras of present phones; four bytes a pixel while it is worked on.
_MOST_PIXELS = 64_000_000
_QUALITIES = (88, 80, 72, 64, 56)
_SHRINK = 0.75
_LEAST_SIDE = 32
# A photo holds up at this many bits a pixel; above it nothing is scaled before it is compressed.
_BITS_A_PIXEL = 0.8
_TYPES = ("JPEG", "MPO", "PNG", "BMP", "WEBP", "HEIF", "AVIF")
_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".heic", ".heif", ".avif")
_HEIC_BRANDS = (b"ftypheic", b"ftypheix", b"ftyphevc", b"ftypmif1", b"ftypmsf1")
_OLE = bytes.fromhex("d0cf11e0a1b11ae1")
# Suffix → (media type, where its mark stands, the mark).
_DOCUMENTS = {
    ".pdf": ("application/pdf", 0, b"%PDF-"),
    ".doc": ("application/msword", 0, _OLE),
    ".docx": ("application/vnd.openxmlformats-officedocument.wordprocessingml.document", 0, b"PK\3\4"),
    ".xls": ("application/vnd.ms-excel", 0, _OLE),
    ".xlsx": ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", 0, b"PK\3\4"),
    ".mp4": ("video/mp4", 4, b"ftyp"),
    ".mp3": ("audio/mpeg", 0, b"ID3"),
}
_PDF_END_WITHIN_B = 1024
# JPEG markers: what the decoder needs of the application segments is JFIF's and Adobe's; the rest and comments are metadata.
_EOI, _SOS, _COM, _APP0, _APP14, _APP15 = 0xD9, 0xDA, 0xFE, 0xE0, 0xEE, 0xEF
_NEXT_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
# Which side of a card a field wants, by its label → how its file's name ends.
_SIDES = {"正面": ("_正面",), "背面": ("_反面", "_背面"), "反面": ("_反面", "_背面")}

# Our own limit lies below Pillow's, and refuses.
warnings.simplefilter("ignore", Image.DecompressionBombWarning)
# Damaged metadata is told on the screen otherwise; it is taken off anyway.
warnings.filterwarnings("ignore", module="PIL.TiffImagePlugin")
Image.init()
_FORMATS = [one for one in _TYPES if one in Image.OPEN]
# A site may name one photo in very many rows.
_MADE = Kept(16_000_000)


class _Refused(Exception):
    def __init__(self, rule, **words):
        self.rule, self.words = rule, words


def prepare(attachment, field, directory):
    """Return (the Attachment with its data and media, [Problem]); with a grave problem its data is empty.

    attachment.path is looked for in that directory and nowhere else; one that came with its data and no path is taken as it is.
    A field of type "file" takes documents too, an attachment without a person's data a PDF. media is "" where the field's
    text goes without its prefix."""
    name = attachment.name or attachment.path
    try:
        path = _locate(attachment.path or name, Path(directory)) if attachment.path or not attachment.data else None
        suffix = path.suffix.lower() if path else _suffix(attachment.media)
        ready = Attachment(name, str(path or ""))
        if suffix in _documents(field):
            return _document(ready, field, suffix, _read(path) if path else attachment.data), []
        if path and field.type == "file" and suffix not in _SUFFIXES:
            raise _Refused(WRONG_KIND, kinds=_kinds(field))
        picture, was_jpeg = _picture_of(path, field) if path else _made(attachment.data, field)
    except _Refused as refused:
        words = {"name": name or field.label, "most": field.most_b} | refused.words
        return replace(attachment, data=b""), [Problem(refused.rule, field=field.name, words=words)]
    if name and not was_jpeg:
        name = str(Path(name).with_suffix(".jpg"))
    return replace(ready, name=name, data=picture, media="image/jpeg" if field.keep_prefix else ""), []


def text_length_b(data_b, media):
    """Return the length of the base64 text of so many bytes, with its prefix `data:<media>;base64,` where there is a media type."""
    return (len(f"data:{media};base64,") if media else 0) + (data_b + 2) // 3 * 4


def stem(table, field, values):
    """Return how a picture's file is named for that record, without its side and suffix; "" where only a column can name it.

    A person's own pictures, of the face or of a side of the id card, are `<id>`. One taken at an event is
    `<id or plate>_<yyyyMMddHHmmss>`: a person's standing photo is never taken for it."""
    by_concept = {one.concept: values.get(one.name) for one in table.fields if one.concept}
    who = by_concept.get("person_id") or by_concept.get("plate")
    if not who:
        return ""
    if any(one.concept == "event_time" for one in table.fields):
        at = by_concept["event_time"]
        return f"{who}_{at:%Y%m%d%H%M%S}" if hasattr(at, "strftime") else ""
    return str(who) if field.privacy == "face" or _ends(field) != ("",) else ""


def find(directory, name, field):
    """Return (Attachment or None, [Problem]) for the picture of that stem in the directory; two that fit are a problem."""
    try:
        index = _index(str(directory), Path(directory).stat().st_mtime_ns)
    except OSError:
        return None, []
    fit = [file for end in _ends(field) for file in index.get(_plain(name + end), ())]
    if len(fit) > 1:
        return None, [Problem(TWO, field=field.name, words={"first": fit[0], "second": fit[1]})]
    return (Attachment(fit[0], fit[0]), []) if fit else (None, [])


def _ends(field):
    return next((ends for side, ends in _SIDES.items() if side in field.label), ("",))


@lru_cache(maxsize=4)
def _index(directory, _changed_ns):
    """Return {plain stem: [file names]} of the pictures in a directory."""
    index = {}
    for one in sorted(Path(directory).iterdir()):
        if one.suffix.lower() in _SUFFIXES:
            index.setdefault(_plain(one.stem), []).append(one.name)
    return index


def _plain(text):
    return unicodedata.normalize("NFKC", text).casefold()


def _locate(written, directory):
    """Return the real path of a file as a row names it, which may begin with the photo directory's own name."""
    root = directory.resolve()
    parts = Path(written.replace("\\", "/"))
    tries = [root / parts]
    if parts.parts[:1] == (directory.name,):
        tries.append(root.joinpath(*parts.parts[1:]))
    try:
        found = next((one for one in tries if one.is_file()), None)
    except (OSError, ValueError):
        found = None
    if found is None:
        raise _Refused(MISSING)
    real = found.resolve()
    if not real.is_relative_to(root):
        raise _Refused(OUTSIDE)
    return real


def _read(path):
    try:
        size_b = path.stat().st_size
        if size_b > _MOST_FILE_B:
            raise _Refused(HUGE)
        data = path.read_bytes()
    except OSError:
        raise _Refused(UNREADABLE) from None
    if not data:
        raise _Refused(EMPTY)
    return data


def _documents(field):
    """Return what documents a field takes, by suffix: any known one, a PDF, or none where a person's picture is asked for."""
    if field.type == "file":
        return _DOCUMENTS
    return {".pdf": _DOCUMENTS[".pdf"]} if "附件" in field.label and not field.privacy else {}


def _kinds(field):
    return "、".join(("JPG", "PNG", *(one[1:].upper() for one in _documents(field))))


def _suffix(media):
    return next((suffix for suffix, (one, _, _) in _DOCUMENTS.items() if one == media), "")


def _document(attachment, field, suffix, data):
    media, at, mark = _DOCUMENTS[suffix]
    whole = suffix != ".pdf" or b"%%EOF" in data[-_PDF_END_WITHIN_B:]
    if data[at : at + len(mark)] != mark or not whole:
        raise _Refused(WRONG_KIND, kinds=_kinds(field))
    media = media if field.keep_prefix else ""
    has_b = text_length_b(len(data), media)
    if field.most_b and has_b > field.most_b:
        raise _Refused(FILE_LARGE, has=has_b)
    return replace(attachment, data=data, media=media)


# Pictures.


def _picture_of(path, field):
    """Return what _made makes of a file; one that is as it was is not decoded again."""
    try:
        state = path.stat()
    except OSError:
        raise _Refused(UNREADABLE) from None
    known = (str(path), state.st_size, state.st_mtime_ns, field.most_b, field.keep_prefix)
    made = _MADE.get(known)
    if made is None:
        made = _made(_read(path), field)
        _MADE.put(known, made, len(made[0]))
    return made


def _made(data, field):
    """Return (the picture as it goes out, whether it was a JPEG before)."""
    return _picture(data, field), data[:2] == b"\xff\xd8"


def _picture(data, field):
    """Return the bytes of a JPEG that may go out."""
    media = "image/jpeg" if field.keep_prefix else ""
    most_b = (field.most_b - text_length_b(0, media)) // 4 * 3 if field.most_b else math.inf
    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
            if image.width * image.height > _MOST_PIXELS:
                raise _Refused(HUGE)
            if image.format in ("JPEG", "MPO") and image.mode in ("L", "RGB") and _upright(image):
                bare = _without_metadata(data)
                if bare is not None and len(bare) <= most_b:
                    _decode_roughly(bare)
                    return bare
            return _encoded(image, most_b)
    except _Refused:
        raise
    except Image.DecompressionBombError:
        raise _Refused(HUGE) from None
    except Exception:  # A decoder fed with a damaged file may raise anything.
        raise _Refused(HEIC if data[4:12] in _HEIC_BRANDS and "HEIF" not in _FORMATS else UNREADABLE) from None


def _upright(image):
    return image.getexif().get(0x0112, 1) in (0, 1)


def _decode_roughly(data):
    """Read a JPEG through to its end at an eighth of its size: it raises where it does not decode."""
    with Image.open(io.BytesIO(data), formats=["JPEG"]) as image:
        image.draft("L", (max(1, image.width // 8), max(1, image.height // 8)))
        image.load()


def _encoded(image, most_b):
    """Return the picture upright as a JPEG of at most so many bytes, scaled down only as far as it must be."""
    if image.format in ("JPEG", "MPO") and most_b < math.inf:
        side = math.ceil(math.sqrt(most_b * 8 / _BITS_A_PIXEL))
        image.draft(image.mode, (min(image.width, side), min(image.height, side)))
    plain = _opaque(ImageOps.exif_transpose(image))
    scale = min(1.0, math.sqrt(most_b * 8 / _BITS_A_PIXEL / (plain.width * plain.height)))
    while True:
        size = (max(1, round(plain.width * scale)), max(1, round(plain.height * scale)))
        scaled = plain if size == plain.size else plain.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)
        for quality in _QUALITIES:
            made = io.BytesIO()
            scaled.save(made, "JPEG", quality=quality, optimize=True)
            if made.tell() <= most_b:
                return made.getvalue()
        if max(size) <= _LEAST_SIDE:
            raise _Refused(NO_FIT)
        scale *= _SHRINK


def _opaque(image):
    """Return a picture of mode L or RGB, what was transparent in it white, nothing but its pixels left."""
    if image.mode.startswith("I;16"):
        image = image.convert("L")
    if image.mode in ("I", "F"):
        raise _Refused(UNREADABLE)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    image = image if image.mode in ("L", "RGB") else image.convert("RGB")
    image.info = {}
    return image


def _without_metadata(data):
    """Return a JPEG's bytes without metadata and without what follows its end; the same object where there is none.

    None where its segments can't be followed."""
    kept, at, cut, coded = [data[:2]], 2, False, False
    while True:
        found = _NEXT_MARKER.search(data, at)
        # What lies before a marker is the coded picture, and until that begins fill bytes alone.
        if found is None or not coded and data[at : found.start()].strip(b"\xff"):
            return None
        kept.append(data[at : found.start()])
        marker, start = data[found.start() + 1], found.start()
        if marker == _EOI:
            end = start + 2
            kept.append(data[start:end])
            return b"".join(kept) if cut or end != len(data) else data
        end = start + 2 + int.from_bytes(data[start + 2 : start + 4], "big")
        if end > len(data) or end < start + 4:
            return None
        if _is_metadata(marker, data[start + 4 : end]):
            cut = True
        else:
            kept.append(data[start:end])
        at, coded = end, coded or marker == _SOS


def _is_metadata(marker, content):
    if marker == _APP0:
        # JFIF's own 14 bytes; a longer one, or JFXX, carries a thumbnail of the picture as it was.
        return not (content.startswith(b"JFIF\0") and len(content) == 14)
    if marker == _APP14:
        return not content.startswith(b"Adobe")
    return marker == _COM or _APP0 < marker <= _APP15
