"""The Quectel dialect, while the modem speaks. Borrowed.

Source: EC2x audio manual; firmware without speech refuses.
"""

DIGITS = 544  # of UCS2 in hex, that one announcement takes: 548 bytes, whole characters
SPEAK = b'AT+QTTS=1,"%s"'  # the text in UCS2, as hex; the URC `spoken` tells when it is over
