"""Images and attachments as Shantou's document wants them: Base64 text, with or without the data: prefix, up to a size.

The document counts the size of "Base64 格式的图片", so the whole text counts, prefix included, in decimal units. By default
an image's first and last bytes are looked at; with `decode` Pillow reads it whole. No state.
"""

import base64
import binascii
import io
import re

from PIL import Image, UnidentifiedImageError

_PREFIX = re.compile(r"data:([a-z]+/[a-z0-9.+-]+);base64,")
_PREFIX_MAX_CHARACTERS = 64

_IMAGE_TYPES = ("image/jpeg", "image/jpg", "image/png", "image/bmp", "image/gif")
_PDF = "application/pdf"

# Format: (first bytes, what must stand in the last kilobyte or None).
_FORMATS = {
    "image/jpeg": (b"\xff\xd8\xff", b"\xff\xd9"),
    "image/png": (b"\x89PNG\r\n\x1a\n", b"IEND"),
    "image/gif": (b"GIF8", b";"),
    "image/bmp": (b"BM", None),
    _PDF: (b"%PDF-", b"%%EOF"),
}
_TAIL_B = 1024


def problem(text, limit_b=None, prefix=False, pdf=False, decode=False):
    """Return why a text is not the image (or attachment) wanted, or None.

    limit_b: most characters of the whole text. prefix: data:image/…;base64, must be there. pdf: a PDF will do. decode: read
    the whole image.
    """
    if limit_b is not None and len(text) > limit_b:
        return f"Base64 长度 {len(text)} 超过限制 {limit_b}"
    match = _PREFIX.match(text, 0, _PREFIX_MAX_CHARACTERS)
    if match is None and (prefix or text.startswith("data:")):
        return "缺少前缀 data:image/…;base64,"
    if match is not None and match[1] not in (*_IMAGE_TYPES, *((_PDF,) if pdf else ())):
        return f"前缀类型 {match[1]} 不是图片"
    try:
        data = base64.b64decode(text[match.end() if match else 0 :], validate=True)
    except (binascii.Error, ValueError):
        return "不是有效的 Base64"
    return _content_problem(data, match and match[1].replace("jpg", "jpeg"), pdf, decode)


def _content_problem(data, declared, pdf, decode):
    """Return why the bytes are not an image of the declared type, or None."""
    found = next((kind for kind, (start, _) in _FORMATS.items() if data.startswith(start)), None)
    if found is None or (found == _PDF and not pdf):
        return "内容不是图片"
    if declared is not None and declared != found:
        return f"内容是 {found}，与前缀 {declared} 不符"
    end = _FORMATS[found][1]
    if end is not None and end not in data[-_TAIL_B:]:
        return "图片不完整"
    return _decoding_problem(data) if decode and found != _PDF else None


def _decoding_problem(data):
    """Return why Pillow cannot read the image, or None."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            image.load()
    except (OSError, ValueError, SyntaxError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        return f"图片无法解码（{type(error).__name__}）"
    return None
