"""An order to upgrade, as the platform gives it. Borrowed for each one.

What is ordered is on flash before it is answered; the rounds in `upgrade` carry it out.
"""

from micropython import const

from terminal import protocol
from terminal.borrow import borrow

_TEXT_MAX = const(1024)  # of an address or a token
_UPGRADES = ("firmware_upgrade", "software_upgrade", "firmware_upgrade_v2", "software_upgrade_v2")


def take(herald, message):
    """Take a command that is neither 0 nor 1. Returns (code, text) of its answer, None when it orders no upgrade.

    message: what `Profile.decode_command` found. herald: `terminal.herald.Herald`.
    """
    try:
        content = (message if isinstance(message, dict) else protocol.decode(message)).get("content")
        wanted = (content if isinstance(content, dict) else protocol.decode(content)).get("upgrade")
    except (protocol.Malformed, TypeError):
        return None
    if not isinstance(wanted, dict):
        return None
    return begin(herald, "order", wanted.get("url"), wanted.get("token"))


def event(herald, payload):
    """Take what IoTDA's $ota service says: who runs which version, or an upgrade. Returns False when it is none of these.

    Source: IoTDA API reference 3028 (version query), 3030 (upgrade).
    """
    try:
        services = protocol.decode(payload).get("services")
    except protocol.Malformed:
        return False
    for told in services if isinstance(services, list) else ():
        if not isinstance(told, dict) or told.get("service_id") != "$ota":
            continue
        paras = told.get("paras")
        if told.get("event_type") == "version_query":
            _owe(herald, ["version", None])
        elif told.get("event_type") in _UPGRADES and isinstance(paras, dict):
            code, text = begin(herald, "iotda", paras.get("url"), paras.get("access_token"))
            if code != 200:
                _owe(herald, ["failed", text])
        else:
            return False
        return True
    return False


def _owe(herald, what):
    """Let the next round tell IoTDA this."""
    slots = borrow("slots")
    state = slots.load_state()
    state["owed"] = what
    slots.save_state(state)
    herald.is_ordered = True


def begin(herald, by, url, token=None):
    """Begin with an upgrade from that address, or go on with it; return (code, text) of the answer."""
    http = borrow("http")
    try:
        http.split_url(url)
    except http.HttpError:
        return 500, "malformed"
    if len(url) > _TEXT_MAX or token is not None and not _is_token(token):
        return 500, "malformed"
    slots = borrow("slots")
    state = slots.load_state()
    if slots.running()[1] or state.get("phase") in ("ready", "trial"):
        return 500, "upgrading"
    if state.get("phase") != "fetch" or state.get("url") != url:
        state = slots.kept(state)
        state.update({"phase": "fetch", "by": by, "url": url})
    slots.keep_token(herald.parts.store._nvs, url, token)
    slots.save_state(state)
    herald.is_ordered = True
    return 200, "upgrade"


def _is_token(token):
    """Return whether a token can stand in a header: printable, no blank, not too long."""
    if not isinstance(token, str) or not 0 < len(token) <= _TEXT_MAX:
        return False
    for letter in token:
        if not "!" <= letter <= "~":
            return False
    return True
