"""From a sound record to what leaves: the document's exact keys, order and JSON types, and the identity of the record.

Pure but for the caller's `image`, which reads a picture's file. Nothing is added that the record doesn't hold.
"""

import base64
import json
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from functools import lru_cache

from . import catalogue
from .plain import two_places
from .privacy import mask
from .record import Attachment, Prepared

_SHANGHAI = timezone(timedelta(hours=8))
_LABELS = ("person_name", "person_id", "team_code", "team_number", "plate", "device_code")
# Concepts for which the platform may have another number than we: the setting that holds ours → theirs.
_RENUMBERED = {"team_number": "team_numbers"}


def identity(values, table):
    """Return the texts that say which record of the world this is; None stands for one that isn't known."""
    return tuple(_known(values, name) for name in table.identity)


def parents(values, table, platform):
    """Return ((table's key, identity), …) of what must be accepted first. A part the child doesn't know is None."""
    return tuple(
        (key, tuple(_known(values, keys.get(name)) for name in platform.tables[key].identity)) for key, keys in table.parents
    )


def known_as(values, table, platform):
    """Return the identities by which other tables' records name this one where they know only a part of its own."""
    names = {tuple(keys) for other in platform.tables.values() for key, keys in other.parents if key == table.key}
    partial = sorted(keys for keys in names if set(keys) != set(table.identity))
    return tuple(tuple(_known(values, name) if name in keys else None for name in table.identity) for keys in partial)


def _known(values, name):
    value = values.get(name)
    return None if value is None else str(value)


def prepare(record, table, site, image=None):
    """Return the Prepared of a sound record. image(Attachment, field) gives the Attachment with its data; without it
    attachments stay as they are (for a dry run). ValueError for a record that may not go out."""
    if not record.sound:
        raise ValueError("a record with an error may not be prepared")
    platform = catalogue.load(table.platform)
    table, settings = _settled(table.platform, table.key, json.dumps(site.settings, sort_keys=True, default=str))
    return Prepared(
        platform=record.platform,
        table=record.table,
        body=_body(table.fields, record.values, settings, image),
        identity=identity(record.values, table),
        parents=parents(record.values, table, platform),
        label=_label(record.values, table),
        happened_ms=_happened_ms(record.values, table),
        known_as=known_as(record.values, table, platform),
    )


@lru_cache
def _settled(platform, key, settings):
    platform = catalogue.load(platform)
    return platform.tables[key].settled(json.loads(settings)), platform.chosen(json.loads(settings))


def _body(fields, values, settings, image):
    return {
        one.key or one.name: _leaf(one, values[one.name], settings, image) for one in fields if values.get(one.name) is not None
    }


def _leaf(field, value, settings, image):
    if field.type == "array":
        return [_body(field.fields, item, settings, image) for item in value]
    if isinstance(value, Attachment):
        value = image(value, field) if image else value
        value = value if field.keep_prefix else replace(value, media="")
        return _FILES[settings.get("media_encoding", "data_uri")](value) if field.type == "file" else value
    if value == "" or field.type in ("string", "date", "datetime"):
        return settings.get(_RENUMBERED.get(field.concept), {}).get(value) or str(value)
    if field.wire == "integer":
        return int(value)
    if field.wire == "number":
        return float(value)
    return two_places(value) if field.form == "0.00" else str(value)


# How a document of any kind goes where its own document doesn't say.
_FILES = {
    "data_uri": lambda file: file,
    "base64": lambda file: replace(file, media=""),
    "name_data": lambda file: {"name": file.name, "data": replace(file, media="")},
    "name": lambda file: file.name,
}


def _label(values, table):
    told = []
    for concept in _LABELS:
        field = table.of_concept(concept)
        if field and values.get(field.name):
            told.append(mask(field.privacy, values[field.name]))
    return " ".join(told)


def _happened_ms(values, table):
    for concept in ("event_time", "event_day", "entry_day", "exit_day"):
        field = table.of_concept(concept)
        when = values.get(field.name) if field else None
        if when:
            local = when if isinstance(when, datetime) else datetime(when.year, when.month, when.day)
            return int(local.replace(tzinfo=_SHANGHAI).timestamp()) * 1000
    return None


def encode(prepared_body):
    """Return the JSON text that leaves: UTF-8, keys in their order, pictures as base64 behind their data: prefix."""
    return json.dumps(prepared_body, ensure_ascii=False, allow_nan=False, default=_encoded)


def _encoded(value):
    if isinstance(value, Attachment):
        prefix = f"data:{value.media};base64," if value.media else ""
        return prefix + base64.b64encode(value.data).decode("ascii")
    if isinstance(value, Decimal):
        return float(value)
    raise TypeError(f"{type(value).__name__} can't leave as JSON")
