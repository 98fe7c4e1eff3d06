"""The signed sheet of a test at the welder: a PDF to print and file, and beside it what is signed, so that anybody can check both.

Two files of one name. NAME.pdf shows the data, their SHA-256 and their signature. NAME.json holds the data, that signature, and the
PDF's SHA-256 with a signature of its own. RSA-3072, PKCS#1 v1.5, SHA-256, over canonical JSON; keys as `hanma release key new`
makes them. Without a key the sheet says that nobody signed it. State: none. Lengths in points.
"""

import base64
import hashlib
import io
import json
import pathlib
import textwrap

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from PIL import Image, ImageOps, UnidentifiedImageError
from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm
from reportlab.lib.utils import ImageReader
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfbase.ttfonts import TTFError, TTFont
from reportlab.pdfgen.canvas import Canvas

from hanma.provision import whole
from hanma.provision.words import Trouble, say

# Adobe's standard font for simplified Chinese: readers have it or take another; nothing is embedded, so no licence is touched.
_READERS_FONT = "STSong-Light"
_SIZE, _SMALL, _TITLE = 10, 7, 16
_LINE = 15
_MARGIN = 18 * mm
_PHOTO_PX = 1200  # the longer side: what paper shows at this size
_PHOTO_JPEG = 80
_EXPONENT = 65537
_FACTS = (
    ("device_id", "终端编号 terminal"),
    ("number", "批次编号 batch No."),
    ("chip", "芯片 chip"),
    ("firmware", "程序版本 firmware"),
    ("iccid", "SIM 卡 ICCID"),
    ("welder_model", "焊机型号 welder's model"),
    ("welder_number", "焊机编号 welder's number"),
    ("enterprise", "使用单位 enterprise"),
    ("site", "安装地点 site"),
    ("installer", "安装人员 installer"),
    ("time", "测试时间 (UTC) tested"),
    ("broker", "平台 platform"),
)
_MARKS = {"ok": "合格 OK", "fail": "不合格 FAIL", "none": "无此部件 n/a"}
_HANDS = ("安装技术人员 installer", "使用单位 enterprise")


def photos(paths):
    """Return [(name, SHA-256 of the file, JPEG bytes)]: upright, no larger than the sheet shows. Raises Trouble photo_bad."""
    return [_photo(pathlib.Path(path)) for path in paths]


def _photo(path):
    try:
        data = path.read_bytes()
        with Image.open(io.BytesIO(data)) as image:
            upright = ImageOps.exif_transpose(image).convert("RGB")
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError, ValueError, SyntaxError) as error:
        raise Trouble("photo_bad", detail=f"{path.name}: {error}") from error
    upright.thumbnail((_PHOTO_PX, _PHOTO_PX))
    room = io.BytesIO()
    upright.save(room, "JPEG", quality=_PHOTO_JPEG)
    return path.name, hashlib.sha256(data).hexdigest(), room.getvalue()


def save(path, data, pictures, private=None, font=None):
    """Write NAME.pdf and NAME.json and return the PDF's SHA-256. Whole or not at all; the PDF comes last.

    data: dict of _FACTS, verdict, steps (dicts of step, time, seconds, verdict, detail, answered_by) and photos. pictures: as
    photos() returns them. private: an RSA key, or None. font: a TrueType file to embed. Raises Trouble sheet_bad, OSError.
    """
    path = pathlib.Path(path)
    signature = _sign(private, canonical(data))
    pdf = _draw(data, pictures, signature, private, font)
    digest = hashlib.sha256(pdf).hexdigest()
    beside = {"data": data, "signature": signature, "pdf_sha256": digest, "pdf_signature": _sign(private, pdf)}
    path.parent.mkdir(parents=True, exist_ok=True)
    whole.write(path.with_suffix(".json"), json.dumps(beside, ensure_ascii=False, indent=1, sort_keys=True).encode())
    whole.write(path, pdf)
    return digest


def verify(path, moduli):
    """Return the data of a sheet (PDF, its JSON beside it) and the id of the key that signed it.

    moduli: public keys, bytes each, of whom to believe. Raises Trouble sheet_bad.
    """
    path = pathlib.Path(path)
    try:
        pdf = path.read_bytes()
        beside = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        data, signature, pdf_signature = beside["data"], beside["signature"], beside["pdf_signature"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Trouble("sheet_bad", detail=f"{path.name}, {path.with_suffix('.json').name}: {error}") from error
    if not signature or not pdf_signature:
        raise Trouble("sheet_bad", detail="没有签名 nobody signed it")
    for modulus in moduli:
        if _is_signed(modulus, signature, canonical(data)):
            if not _is_signed(modulus, pdf_signature, pdf):
                raise Trouble("sheet_bad", detail="PDF 被改动 the PDF was changed")
            return data, key_id(modulus)
    raise Trouble("sheet_bad", detail="数据被改动，或密钥不是这一把 the data were changed, or another key signed them")


def canonical(data):
    """Return the bytes that are signed."""
    return json.dumps(data, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def key_id(modulus):
    """Return what names a public key on a sheet."""
    return hashlib.sha256(modulus).hexdigest()[:16]


def _sign(private, message):
    if private is None:
        return None
    return base64.b64encode(private.sign(message, padding.PKCS1v15(), hashes.SHA256())).decode()


def _is_signed(modulus, signature, message):
    try:
        public = rsa.RSAPublicNumbers(_EXPONENT, int.from_bytes(modulus, "big")).public_key()
        public.verify(base64.b64decode(signature, validate=True), message, padding.PKCS1v15(), hashes.SHA256())
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True


# ---- drawing


class _Page:
    """A canvas that knows how far down it is, and goes on with the next page."""

    def __init__(self, font):
        self._room = io.BytesIO()
        self.canvas = Canvas(self._room, pagesize=A4, invariant=True)
        self.font, self.y = font, A4[1] - _MARGIN

    def need(self, height):
        """Go on with the next page where this one has less room."""
        if self.y - height < _MARGIN:
            self.canvas.showPage()
            self.y = A4[1] - _MARGIN

    def line(self, text, size=_SIZE, left=_MARGIN):
        """Write one text, on as many lines as it takes."""
        for part in self.wrapped(text, size, A4[0] - _MARGIN - left):
            self.need(_LINE)
            self.y -= max(_LINE if size >= _SIZE else 0, size * 1.4)
            self.canvas.setFont(self.font, size)
            self.canvas.drawString(left, self.y, part)

    def wrapped(self, text, size, width):
        """Return the text cut into lines of this width; Chinese may be cut anywhere."""
        lines = [""]
        for letter in text:
            if letter == "\n" or pdfmetrics.stringWidth(lines[-1] + letter, self.font, size) > width:
                lines.append("")
            lines[-1] += "" if letter == "\n" else letter
        return lines

    def bytes(self):
        """End the document and return it."""
        self.canvas.save()
        return self._room.getvalue()


def _font(path):
    try:
        font = TTFont("sheet", str(path)) if path else UnicodeCIDFont(_READERS_FONT)
    except (TTFError, OSError) as error:
        raise Trouble("sheet_bad", detail=f"{path}: {error}") from error
    pdfmetrics.registerFont(font)
    return font.fontName


def _draw(data, pictures, signature, private, font):
    page = _Page(_font(font))
    page.line("电焊机“赋码监管”终端安装测试单  Test after fitting", _TITLE)
    page.y -= _LINE
    for name, label in _FACTS:
        page.line(f"{label}：{data.get(name) or '—'}")
    page.y -= _LINE / 2
    page.line(f"结论 verdict：{say(data['verdict'], 'zh')} {say(data['verdict'], 'en')}", _TITLE)
    page.y -= _LINE / 2
    for step in data["steps"]:
        _draw_step(page, step)
    _draw_signature(page, data, signature, private)
    _draw_hands(page)
    for name, digest, jpeg in pictures:
        _draw_picture(page, jpeg, f"{name}  SHA-256 {digest}")
    return page.bytes()


def _draw_step(page, step):
    by = f"  [{step['answered_by']}]" if step["answered_by"] else ""
    name = f"{say(step['step'], 'zh')} {say(step['step'], 'en')}"
    page.line(f"{step['time'][11:19]}  {name}：{_MARKS[step['verdict']]}  {step['seconds']:.1f} s{by}")
    if step["detail"]:
        page.line(step["detail"], _SIZE, _MARGIN + 20 * mm)


def _draw_signature(page, data, signature, private):
    page.y -= _LINE / 2
    page.line(f"SHA-256  {hashlib.sha256(canonical(data)).hexdigest()}", _SMALL)
    if private is None:
        page.line("没有数字签名  NOT DIGITALLY SIGNED")
        return
    number = private.public_key().public_numbers().n
    page.line(f"RSA-3072 PKCS#1 v1.5 SHA-256，密钥 key {key_id(number.to_bytes(384, 'big'))}", _SMALL)
    for part in textwrap.wrap(signature, 110):
        page.line(part, _SMALL)


def _draw_hands(page):
    """Lines for signatures by hand."""
    page.need(4 * _LINE)
    page.y -= 2 * _LINE
    width = (A4[0] - 2 * _MARGIN) / len(_HANDS)
    page.canvas.setFont(page.font, _SIZE)
    for index, whose in enumerate(_HANDS):
        left = _MARGIN + index * width
        page.canvas.line(left, page.y, left + width - 10 * mm, page.y)
        page.canvas.drawString(left, page.y - _LINE, f"{whose}，日期 date")
    page.y -= 3 * _LINE


def _draw_picture(page, jpeg, words):
    image = ImageReader(io.BytesIO(jpeg))
    wide, high = image.getSize()
    scale = min((A4[0] - 2 * _MARGIN) / wide, 110 * mm / high)
    page.need(high * scale + 2 * _LINE)
    page.y -= high * scale
    page.canvas.drawImage(image, _MARGIN, page.y, wide * scale, high * scale)
    page.line(words, _SMALL)
    page.y -= _LINE
