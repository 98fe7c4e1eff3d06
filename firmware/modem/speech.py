"""Speaks. Part of modem.modem's Modem, borrowed for the one call. Times are in ms."""

from micropython import const

from modem.at import ModemError
from modem.borrow import borrow

_SPEECH_MS = const(5000)  # and the time for each character, slow speech
_SPEECH_CHAR_MS = const(350)


async def say(modem, text):
    """See Modem.say()."""
    late = borrow("late")
    rows = late.rows(modem, "_speech")
    if 4 * len(text) > rows.DIGITS:
        raise ModemError("too_long", "say")
    if "spoken" in modem._waits:
        raise ModemError("busy", "say")
    timeout_ms = _SPEECH_MS + _SPEECH_CHAR_MS * len(text)
    await late.supported(late.ask(modem, "spoken", rows.speak(text), timeout_ms))


async def hush(modem):
    """See Modem.hush()."""
    late = borrow("late")
    rows = late.rows(modem, "_speech")
    speaking = modem._waits.get("spoken")
    if speaking and rows.HUSH_MS:  # its end is told, and nothing can be said before
        speaking.finish()
        await modem._try(late.ask(modem, "spoken", rows.HUSH, rows.HUSH_MS))
    else:
        await modem._ask(rows.HUSH)
        if speaking:
            speaking.finish()
