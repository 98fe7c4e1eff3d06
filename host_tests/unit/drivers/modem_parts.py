"""Drives the pure parts of the modem room: 3GPP values, the dialects, the recovery ladder."""

from modem import at, gsm, ladder, luat_open, luat_place, quectel_open, quectel_place, simcom_open, simcom_place
from modem.quectel import Quectel
from modem.simcom import Simcom

_VALUES = {
    "fields": gsm.fields,
    "numbers": at.numbers,
    "text": at.text,
    "rssi": lambda value: at.dbm(value, 0, 31, 2, -113),
    "rsrp": lambda value: at.dbm(value, 5, 97, 1, -141),
    "clock": gsm.clock_ms,
    "e7": gsm.e7,
    "minutes": gsm.e7_from_minutes,
    "address": simcom_open.address,
    "unread": Simcom().unread,
    "location": simcom_place.location,
    "fix": simcom_place.fix,
    "quectel_address": quectel_open.address,
    "quectel_unread": Quectel().unread,
    "quectel_location": quectel_place.location,
    "quectel_fix": quectel_place.fix,
    "quectel_server": quectel_place.server_ms,
    "luat_address": luat_open.address,
    "luat_location": luat_place.location,
    "luat_fix": luat_place.fix,
}


def plain(value):
    """Return a value as JSON has it: bytes as text, tuples as lists."""
    if isinstance(value, (bytes, bytearray)):
        return "".join(chr(byte) for byte in value)
    if isinstance(value, (list, tuple)):
        return [plain(part) for part in value]
    return value


def run(case):
    """case: {"read": name, "value": text of bytes 0 to 127} | {"climb": [[now_s, lowest, rungs] | "held", …]}."""
    if "climb" in case:
        return climb(case["climb"])
    return plain(_VALUES[case["read"]](case["value"].encode()))


def climb(steps):
    """Return what the ladder chose at each step."""
    memory = ladder.start()
    cycles_s = []
    chosen = []
    for step in steps:
        if step == "held":
            memory = ladder.start()
        else:
            chosen.append(list(ladder.climb(memory, cycles_s, *step)))
    return chosen
