"""The SIMCom A76xx dialect, while the modem speaks. Borrowed.

Source: A76XX Series Audio application note.
"""

DIGITS = 510  # of UCS2 in hex, that one announcement takes
SPEAK = b'AT+CTTS=1,"%s"'  # the text in UCS2, as hex; the URC `spoken` tells when it is over
