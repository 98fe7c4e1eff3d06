"""The settings of one terminal: one table of fields, checked at load and at save.

Owns config.json: a bad field falls back to its default and is named; a file that cannot be read is kept aside
as config.bad and leaves all defaults. Units are in the names. The identity is not here but in NVS, so that it
outlives the file system.
"""

import json
import os

from micropython import const

from terminal.borrow import borrow
from terminal.parts import Config

_INTERLOCK = borrow("limits")
_FILE_BYTES = const(8192)  # bounds what a parser of untrusted nesting may be given on a 16 KiB stack
_MOST_STRANGE = const(16)  # names that are told one by one
_NAME_CHARS = const(40)
_ENOENT = const(2)
_REQUEST_ID = "{request_id}"

# (name, kind, default, low, high): numbers and lengths from low to high, "choice" has its choices in place of
# low, "zero_or" is a number from low to high or 0 for off, "digits" is empty or has low to high of them, "hex" is empty or
# has low of them.
FIELDS = (
    ("profile", "choice", "plain", ("plain", "iotda"), None),
    ("host", "word", "", 1, 128),
    ("port", "int", 8883, 1, 65535),
    ("tls", "bool", True, None, None),
    ("ca_file", "word", "ca.pem", 1, 64),
    ("keepalive_s", "int", 120, 30, 1200),
    ("heartbeat_s", "int", 60, 10, 3600),
    ("full_heartbeat_s", "int", 600, 60, 86400),
    ("position_period_s", "int", 3600, 60, 86400),
    ("position_move_m", "int", 200, 20, 10000),
    ("coordinates", "choice", "wgs84", ("wgs84", "gcj02"), None),
    ("topic_up", "topic", "welder/{device_id}/up", 1, 128),
    ("topic_command", "numbered", "welder/{device_id}/command/{request_id}", 1, 128),
    ("topic_response", "numbered", "welder/{device_id}/response/{request_id}", 1, 128),
    ("topic_will", "topic", "welder/{device_id}/up", 0, 128),
    ("iotda_sign_type", "int", 0, 0, 1),
    ("response_form", "choice", "bare", ("bare", "paras"), None),
    ("modem_family", "choice", "board", ("board", "auto", "simcom", "quectel", "luat"), None),
    ("modem_key_on_ms", "zero_or", 0, 50, 10000),
    ("modem_key_off_ms", "zero_or", 0, 100, 10000),
    ("modem_key_gap_ms", "zero_or", 0, 500, 70000),
    ("sim_pin", "digits", "", 4, 8),
    ("roaming", "bool", True, None, None),
    ("lbs_token", "word", "", 0, 32),
    ("apn", "word", "", 0, 63),
    ("apn_user", "word", "", 0, 64),
    ("apn_password", "word", "", 0, 64),
    ("iccid", "word", "", 0, 20),
    ("voice", "bool", True, None, None),
    ("service_phone", "word", "", 0, 20),
    ("overtemperature_c", "int", 85, 50, 110),
    ("ota_url", "word", "", 0, 512),
    ("ota_hour", "int", 3, 0, 23),
    ("ota_bytes_per_day", "int", 1000000, 65536, 1000000000),
    ("trial_s", "int", 1800, 60, 86400),
    ("signature_only", "bool", False, None, None),
    ("ota_fingerprint", "hex", "", 64, None),
    ("outage_causes", "causes", _INTERLOCK.OUTAGE_CAUSES, _INTERLOCK.OUTAGE_CAUSES, None),
) + tuple(
    (name, "zero_or" if name in _INTERLOCK.MAY_BE_OFF else "int", default, low, high)
    for name, default, low, high in _INTERLOCK.SETTINGS
)


class ConfigError(Exception):
    """The settings cannot be saved; `problems` names each reason."""

    def __init__(self, problems):
        super().__init__("; ".join(problems))
        self.problems = problems


def defaults():
    """Return a new dict with every field's default."""
    return {field[0]: field[2] for field in FIELDS}


def check(given):
    """Check a dict of settings against the table.

    Returns (values, problems): every field with a usable value, and one text for each thing that is wrong.
    """
    values = {}
    problems = []
    for field in FIELDS:
        name, kind, default, low, high = field
        value = given.get(name, default)
        wrong = _CHECKS[kind](value, low, high)
        if wrong:
            if name in given:
                problems.append(f"{name} {wrong}; {_show(default)} is used")
            else:
                problems.append(f"{name} is not given")
        values[name] = default if wrong else value
    strange = [name for name in given if name not in values]
    if len(strange) > _MOST_STRANGE:  # a file of nothing else would take the heap with it
        problems.append(f"{len(strange)} names are not settings; they are ignored")
    else:
        for name in sorted(strange):
            shown = "".join([letter if " " <= letter <= "~" else "?" for letter in name[:_NAME_CHARS]])
            problems.append(f"{_show(shown)} is not a setting; it is ignored")
    return values, problems


def load(path="config.json"):
    """Read the settings.

    Returns (Config, problems): problems is a list of texts, empty when all is well. Never raises for what is
    in the file.
    """
    try:
        given = _parse(_read(path))
    except OSError as error:
        # a flash that cannot be read today may be readable tomorrow: the file stays where it is
        why = "is missing" if error.errno == _ENOENT else f"cannot be read (error {error.errno})"
        return Config(defaults(), True), [f"{path} {why}; all defaults are used"]
    except ConfigError as error:
        _keep_aside(path)
        return Config(defaults(), True), [f"{path} {error.problems[0]}; all defaults are used"]
    values, problems = check(given)
    return Config(values), problems


def save(given, path="config.json"):
    """Write the settings so that a power cut leaves the old file or the new one, whole.

    given: dict by the table; fields left out keep their defaults. Raises ConfigError when a field is bad
    (nothing is written) or the file read back differs, OSError from the file system.
    """
    problems = check(given)[1]
    data = json.dumps(given).encode()
    if len(data) > _FILE_BYTES:
        problems.append(f"the file would be {len(data)} bytes, more than {_FILE_BYTES}")
    if problems:
        raise ConfigError(problems)
    fresh = path + ".new"
    with open(fresh, "wb") as file:
        file.write(data)
    if _read(fresh) != data:
        raise ConfigError(["the file read back differs"])
    os.rename(fresh, path)


def _read(path):
    with open(path, "rb") as file:
        return file.read(min(os.stat(path)[6], _FILE_BYTES) + 1)  # no more room than it takes: it is read in service too


def _parse(data):
    if len(data) > _FILE_BYTES:
        raise ConfigError([f"is longer than {_FILE_BYTES} bytes"])
    try:
        given = json.loads(str(data, "utf-8"))
    except (ValueError, RuntimeError, MemoryError):  # RuntimeError: nested deeper than the stack
        given = None
    if not isinstance(given, dict):
        raise ConfigError(["is not a JSON object"])
    return given


def _keep_aside(path):
    try:
        os.rename(path, path.rsplit(".", 1)[0] + ".bad")
    except OSError:
        pass  # it is only for the technician; the defaults are in force either way


def _show(value):
    return json.dumps(value)


# ---- one check a kind: what is wrong with the value, as the end of a sentence, or None


def _check_int(value, low, high):
    if type(value) is not int or not low <= value <= high:
        return f"is not a whole number from {low} to {high}"
    return None


def _check_zero_or(value, low, high):
    if type(value) is not int or value and not low <= value <= high:
        return f"is not 0 or a whole number from {low} to {high}"
    return None


def _check_bool(value, _low, _high):
    return None if value is True or value is False else "is not true or false"


def _check_choice(value, choices, _):
    if isinstance(value, str) and value in choices:
        return None
    return "is not one of " + ", ".join(choices)


def _check_word(value, low, high):
    """Printable ASCII without what would end a quoted argument of an AT command."""
    is_text = isinstance(value, str)
    for letter in value if is_text else "":
        if not "!" <= letter <= "~" or letter in '"\\':
            return "has a character other than printable ASCII without space, quote and backslash"
    return None if is_text and low <= len(value) <= high else f"is not a text of {low} to {high} characters"


def _check_digits(value, low, high):
    if isinstance(value, str) and (not value or low <= len(value) <= high and value.isdigit()):
        return None
    return f"is not empty or {low} to {high} digits"


def _check_hex(value, size, _):
    if isinstance(value, str) and len(value) in (0, size):
        for letter in value:
            if letter not in "0123456789abcdef":
                break
        else:
            return None
    return f"is not empty or {size} small hexadecimal digits"


def _check_topic(value, low, high):
    wrong = _check_word(value, low, high)
    if wrong:
        return wrong
    if "+" in value or "#" in value:
        return "has a wildcard"
    bare = value.replace("{device_id}", "")
    return "has a brace that belongs to no known name" if "{" in bare or "}" in bare else None


def _check_numbered(value, low, high):
    """A topic that ends with the id of the request."""
    if not isinstance(value, str) or not value.endswith(_REQUEST_ID):
        return "does not end with " + _REQUEST_ID
    return _check_topic(value[: -len(_REQUEST_ID)], low, high)


def _check_causes(value, choices, _):
    if isinstance(value, (list, tuple)):
        value = [cause for cause in value if not isinstance(cause, str) or cause not in choices]
        if not value:
            return None
    return "is not a list of " + ", ".join(choices)


_CHECKS = {
    "int": _check_int,
    "zero_or": _check_zero_or,
    "bool": _check_bool,
    "choice": _check_choice,
    "word": _check_word,
    "digits": _check_digits,
    "hex": _check_hex,
    "topic": _check_topic,
    "numbered": _check_numbered,
    "causes": _check_causes,
}
