"""The Luat dialect, while the modem speaks. Borrowed.

Source: openLuat's AT command manual; only the LSAT firmware speaks, the others refuse.
"""

HUSH = (b"AT+CTTS=0",)
HUSH_MS = 3000  # until the URC `spoken`: before it the next speech is refused
DIGITS = 2044  # of UCS2 in hex, that one announcement takes: 2047 bytes, whole characters


def speak(text):
    """Return the row that speaks text, in UCS2 (what needs two units becomes a question mark); the URC `spoken` tells
    when it is over."""
    digits = b"".join([b"%04X" % (ord(char) if ord(char) < 65536 else 63) for char in text])
    return (b'AT+CTTS=1,"%s"' % digits,)
