"""The Quectel dialect, while the modem speaks. Borrowed.

Source: EC2x audio manual; firmware without speech refuses.
"""

HUSH = (b"AT+QTTS=0",)
HUSH_MS = 0  # speaks again at once
DIGITS = 544  # of UCS2 in hex, that one announcement takes: 548 bytes, whole characters


def speak(text):
    """Return the row that speaks text, in UCS2 (what needs two units becomes a question mark); the URC `spoken` tells
    when it is over."""
    digits = b"".join([b"%04X" % (ord(char) if ord(char) < 65536 else 63) for char in text])
    return (b'AT+QTTS=1,"%s"' % digits,)
