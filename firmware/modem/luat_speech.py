"""The Luat dialect, while the modem speaks. Borrowed.

Source: openLuat's AT command manual; only the LSAT firmware speaks, the others refuse.
"""

DIGITS = 2044  # of UCS2 in hex, that one announcement takes: 2047 bytes, whole characters
SPEAK = b'AT+CTTS=1,"%s"'  # the text in UCS2, as hex; the URC `spoken` tells when it is over
