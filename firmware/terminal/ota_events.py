"""What IoTDA's $ota service is told: the version that runs, and how an upgrade ended. Pure; borrowed when one is due.

Source: IoTDA API reference 3029 (version report), 3031 (progress, result codes). That an upgrade went well is told only by the new
release, when its trial is over.
"""

import json

# Our reasons -> result codes: 0 done, 1 in use, 3 is the latest, 5 no storage, 6 download, 7 verification, 8 type, 9 memory,
# 10 install.
_CODES = {
    "upgrading": 1,
    "older": 3,
    "too_large": 5,
    "no_room": 5,
    "unreachable": 6,
    "denied": 6,
    "address": 6,
    "wrong_board": 8,
    "wrong_micropython": 8,
    "no_partition": 8,
    "no_memory": 9,
    "flash": 10,
}
_INTERNAL = 255
_OF_STATE = {"confirmed": 0, "refused": 7, "rolled_back": 10}


def payload(owed, version):
    """Return the payload (bytes) of an event. owed: [state, reason] of an upgrade or ["version", None]. version: what runs."""
    state, reason = owed
    if state == "version":
        kind, paras = "version_report", {"sw_version": version, "fw_version": version}
    else:
        code = _CODES.get(reason, _OF_STATE.get(state, _INTERNAL))
        kind, paras = "upgrade_progress_report", {"result_code": code, "version": version, "description": reason or state}
        if code == 0:
            paras["progress"] = 100
    event = {"service_id": "$ota", "event_type": kind, "paras": paras}
    return json.dumps({"services": [event]}, separators=[",", ":"]).encode()
