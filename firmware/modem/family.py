"""Which dialect a modem speaks: found by asking it, or configured and checked. Borrowed.

A family is a name, words of which one is in what its modems answer to ATI or AT+CGMM, and the modules modem.<name>,
modem.<name>_up and so on (see modem.simcom); the first has the dialect's class as `Dialect`. Of these modules only those of
the family that is spoken are ever loaded.
"""

import sys

from micropython import const

from modem.at import ModemError, text
from modem.borrow import borrow

_AUTO = "auto"  # asks the modem
_FAMILIES = (
    ("simcom", ("SIMCOM", "A76", "SIM7")),
    ("quectel", ("QUECTEL", "EC20", "EC80", "EC60", "EC21", "EC25", "EG8", "EG9", "EG2", "BG9")),
    ("luat", ("AIRM2M", "LUAT", "AIR7", "AIR6")),
)
_ANSWER_MS = const(2000)
_ASKS = (  # bare lines, but for Luat's +CGMM: "Air724UG"
    (b"ATI", b"", _ANSWER_MS),
    (b"AT+CGMM", b"", _ANSWER_MS),
    (b"AT+CGMM", b"+CGMM:", _ANSWER_MS),
)
_ROUNDS = const(2)  # a line that the modem says by itself may have been taken for the first answer


class Unknown:
    """Stands for the dialect until it is known: what all families share. Its rows are in modem.unknown_up."""

    NAME = "unknown"
    URCS = b"RDY\nboot\n*ATREADY:\nboot\nSMS DONE\n\nPB DONE\n\n"
    RAWS = FINALS = b""
    LINKS = 0
    PROBES = ((b"AT+CSQ", b"+CSQ:", _ANSWER_MS), (b"AT+CEREG?", b"+CEREG:", _ANSWER_MS, 1))


def named(family):
    """Return the dialect of a family; Unknown for `auto`, and where its modules are not on this terminal."""
    name = "modem." + family
    try:
        if family == _AUTO:
            return Unknown()
        return __import__(name, None, None, (name,)).Dialect()
    except ImportError:
        sys.modules.pop(name, None)
        return Unknown()


async def identify(modem):
    """Awaited: ask the modem what it is and give it its family's dialect. Raises ModemError `wrong_family`, then
    modem.problem is the sentence that says which modem answered and what to configure."""
    answers = []
    for row in _ROUNDS * _ASKS:
        answers.append(text(await modem._try(modem.channel.ask(row, False))))
        found = _family_of(answers[-1])
        if found:
            break
    configured = modem.settings.get("family") or modem.dialect.NAME
    seen = " ".join([answer for answer in answers if answer])[:64] or "a modem without a name"
    wanted = found if configured in (_AUTO, Unknown.NAME) else configured
    if not wanted:
        _complain(modem, seen + " answered, whose family is unknown: set modem_family")
    if found and found != wanted:
        _complain(modem, "%s answered, a %s modem, not %s: set modem_family to %s" % (seen, found, wanted, found))
    if wanted != modem.dialect.NAME:
        dialect = named(wanted)
        if wanted != dialect.NAME:
            _complain(modem, "%s answered, but this terminal was not staged with %s" % (seen, wanted))
        borrow("fresh").speak(modem, dialect)


def _family_of(answer):
    for name, words in _FAMILIES:
        for word in words:
            if word in answer.upper():
                return name
    return None


def _complain(modem, sentence):
    modem._set_cause("modem_dead", sentence)
    raise ModemError("wrong_family", "identify")
