"""The other half of `protocol`: the contents of the reports that are rare or long. Pure; borrowed when one is due."""

from micropython import const

from terminal import protocol
from terminal.borrow import borrow

_E7 = const(10000000)


def login(device_id, iccid, imei, versions, reset, resumed, relay, state):
    """Return the content of 00, to be stamped.

    versions: dict (firmware, micropython, modem, board). reset: dict (cause, boot, unfinished). resumed:
    bool. relay: 1 or 0. state: the interlock's.
    """
    return {
        "device_id": device_id,
        "iccid": iccid,
        "imei": imei,
        "versions": versions,
        "reset": reset,
        "resumed": resumed,
        "relay": relay,
        "state": state,
    }


def position(source, lat_e7=None, lng_e7=None, system="wgs84", accuracy_m=None, reason=None):
    """Return the content of EF, to be stamped with the time of the fix. source is 'gnss', 'cell' or 'none';
    with 'none' there are no coordinates but a reason."""
    if source == "none":
        return {"source": source, "reason": reason}
    content = {"lng": e7_text(lng_e7), "lat": e7_text(lat_e7), "system": system, "source": source}
    if accuracy_m is not None:
        content["accuracy_m"] = accuracy_m
    return content


def restart(reset, resumed, moment):
    """Return the content of the extra heartbeat that reports a boot; reset and resumed as in the login."""
    return protocol.stamped({"restart": reset, "resumed": resumed}, moment)


def gap(rank, names, moment):
    """Return the content of E0 that tells which records were dropped for want of room.

    names: (boot, sequence of the first, boot, sequence of the last, how many) of this rank: 0 alarms, 1 events, 2 positions.
    """
    content = protocol.alarm("records_dropped", moment, moment, None)
    content["detail"] = {"rank": rank, "from": list(names[:2]), "to": list(names[2:4]), "count": names[4]}
    row = borrow("alarm_kinds").row("records_dropped")
    content["severity"] = row[1]
    content["text"] = row[2]
    return content


def e7_text(value_e7):
    """Return 1e-7 units as decimal text with seven places: 1065512340 -> '106.5512340'."""
    sign = "-" if value_e7 < 0 else ""
    return "%s%d.%07d" % (sign, abs(value_e7) // _E7, abs(value_e7) % _E7)
