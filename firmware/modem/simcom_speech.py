"""The SIMCom A76xx dialect, while the modem speaks. Borrowed.

Source: A76XX Series Audio application note.
"""

HUSH = (b"AT+CTTS=0",)
DIGITS = 510  # of UCS2 in hex, that one announcement takes


def speak(text):
    """Return the row that speaks text, in UCS2 (what needs two units becomes a question mark); the URC `spoken` tells
    when it is over."""
    digits = b"".join([b"%04X" % (ord(char) if ord(char) < 65536 else 63) for char in text])
    return (b'AT+CTTS=1,"%s"' % digits,)
