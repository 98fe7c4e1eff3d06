"""Speaks. Part of modem.modem's Modem, borrowed for the one call. Times are in ms."""

from micropython import const

from modem.at import ModemError
from modem.borrow import borrow

_SPEECH_MS = const(5000)  # and the time for each character, slow speech
_SPEECH_CHAR_MS = const(350)


async def say(modem, text):
    """See Modem.say()."""
    rows = borrow(modem.dialect.NAME + "_speech")
    if 4 * len(text) > rows.DIGITS:
        raise ModemError("too_long", "say")
    if "spoken" in modem._waits:
        raise ModemError("busy", "say")
    late = borrow("late")
    timeout_ms = _SPEECH_MS + _SPEECH_CHAR_MS * len(text)
    await late.supported(late.ask(modem, "spoken", rows.speak(text), timeout_ms))


async def hush(modem):
    """See Modem.hush()."""
    await modem._ask(borrow(modem.dialect.NAME + "_speech").HUSH)
    if "spoken" in modem._waits:
        modem._waits["spoken"].finish()
