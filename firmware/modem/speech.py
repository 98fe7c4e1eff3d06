"""Speaks. Part of modem.modem's Modem, borrowed for the one call. Times are in ms."""

from micropython import const

from modem.at import ModemError

_SPEECH_MS = const(5000)  # and the time for each character, slow speech
_SPEECH_CHAR_MS = const(350)


async def say(modem, text):
    """See Modem.say()."""
    from modem import late  # here: without it this module is pure

    rows = late.rows(modem, "_speech")
    if 4 * len(text) > rows.DIGITS:
        raise ModemError("too_long", "say")
    if "spoken" in modem._waits:
        raise ModemError("busy", "say")
    timeout_ms = _SPEECH_MS + _SPEECH_CHAR_MS * len(text)
    await late.supported(late.ask(modem, "spoken", (rows.SPEAK % ucs2(text),), timeout_ms))


def ucs2(text):
    """Return text in UCS2, as hex; what needs two units becomes a question mark."""
    digits = b""
    for i in range(len(text)):
        code = ord(text[i : i + 1])  # a slice: what an index or a loop takes out of a text, MicroPython keeps for ever
        digits += b"%04X" % (code if code < 65536 else 63)
    return digits
