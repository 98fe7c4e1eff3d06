"""What the authorities' documents say, as data: platforms, their tables, fields and dictionaries.

The files in data/ are the documents' own tables in one form; `load` reads one. Nothing here knows a row, a file or a
connection. Names are the documents' own spelling and case (`homeadrress`, `aeraCode`): they are what goes on the wire.
"""

import json
from dataclasses import dataclass, field, replace
from functools import lru_cache
from importlib import resources

# What a value is about, for who keeps it, how it is shown and for how long. A field may have none.
PRIVACY = ("id", "name", "face", "health", "bank", "phone", "place")
# What is done with a record whose answer was never heard.
UNCERTAIN_RULES = ("ask", "resend_same_batch", "resend", "hold")


@dataclass(frozen=True)
class Field:
    """One field of a table.

    type: string integer decimal float date datetime enum image file array. wire: its JSON type (string integer number
    array). required: "yes", "no" or "when" (`when`: another field's name → the codes that make it so). form: how it
    is written ("0.00", "yyyy-MM-dd", …). dictionary: a dictionary's name; dictionary_by: (another field, its code →
    dictionary). choices: code → Chinese name where the field states its own. most_b: the limit of the whole base64
    text. latest_now: a date or time after now is refused. permanent: "0000-00-00" may stand for "for ever".
    concept: what the same thing is called in every table (person_id, project_code, event_time …). derived: how it may be reckoned
    from another field ("day:dktime", "birth:idcard", "sex:idcard", "name:data" a file's name, "none:isHasbadness=1" an empty
    list where that field says there is none). epidemic: off until a site states its basis. key: its name on the wire where
    that is not `name`. fact: never taken from a site's profile. empties: the empty values a site may switch on.
    A string's form: "code" has neither spaces nor full-width signs, "CODE" is in capitals too.
    separator: what joins several values in one text, where a field takes several; most_length: in characters.
    """

    name: str
    label: str
    type: str = "string"
    wire: str = "string"
    required: str = "no"
    when: dict = field(default_factory=dict)
    form: str = ""
    dictionary: str = ""
    dictionary_by: tuple = ()
    choices: dict = field(default_factory=dict)
    most_b: int = 0
    keep_prefix: bool = True
    latest_now: bool = False
    permanent: bool = False
    concept: str = ""
    derived: str = ""
    privacy: str = ""
    epidemic: bool = False
    key: str = ""
    fact: bool = False
    empties: tuple = ()
    aliases: tuple = ()
    separator: str = ""
    most_length: int = 0
    fields: tuple = ()
    note: str = ""


@dataclass(frozen=True)
class Table:
    """One table or endpoint. identity: the fields that say which record of the world it is. parents: (table's key,
    {its field: our field}) it must follow. uncertain: one of UNCERTAIN_RULES. errors: code → class (ok config token
    permission server data), this endpoint's own. path: as the document has it, with {accesstoken}."""

    platform: str
    key: str
    title: str
    fields: tuple
    path: str = ""
    method: str = "POST"
    code: str = ""
    identity: tuple = ()
    parents: tuple = ()
    uncertain: str = "hold"
    errors: dict = field(default_factory=dict)
    frequency: str = ""
    note: str = ""

    def field(self, name):
        """Return the field of that exact name, or None."""
        return next((one for one in self.fields if one.name == name), None)

    def of_concept(self, concept):
        """Return the first field of that concept, or None."""
        return next((one for one in self.fields if one.concept == concept), None)

    def settled(self, settings=None):
        """Return this table as a site's settings make it. ValueError names a setting's choices."""
        changes = _changes(load(self.platform), settings or {})
        fields = tuple(_settled(one, f"{self.key}.{one.name}", changes) for one in self.fields) if changes else self.fields
        return replace(self, fields=fields)


@dataclass(frozen=True)
class Platform:
    """One authority's document. tables are in the order in which they are to be sent; dictionaries: name → code → Chinese name;
    synonyms: dictionary → other name → codes; facts: what else the document fixes, for its rules; settings: name → its
    default ("value"), "choices", why there is one, and what a choice changes: {choice: {"table.field": {attribute: value}}};
    the setting "required" names fields a site needs beyond the document."""

    key: str
    title: str
    tables: dict
    dictionaries: dict
    settings: dict
    synonyms: dict = field(default_factory=dict)
    facts: dict = field(default_factory=dict)

    def choices(self, one, values=None):
        """Return code → Chinese name for an enum field, or None when it has no list or the list hangs on a value not given."""
        return one.choices or self.dictionaries.get(self.dictionary(one, values))

    def dictionary(self, one, values=None):
        """Return the name of an enum field's dictionary, "" where it has none or it hangs on a value not given."""
        if not one.dictionary_by:
            return one.dictionary
        other, names = one.dictionary_by
        return names.get(str((values or {}).get(other, "")), "")

    def chosen(self, settings=None):
        """Return every setting's value: the site's where it has one. ValueError for a value that is none of the choices."""
        for name, value in (settings or {}).items():
            choices = self.settings.get(name, {}).get("choices")
            if choices and value not in choices:
                raise ValueError(f"{name} = {value}: write one of {', '.join(map(str, choices))}")
        return {name: one["value"] for name, one in self.settings.items()} | (settings or {})


def _changes(platform, settings):
    changes = {}
    for name, value in platform.chosen(settings).items():
        choices = platform.settings.get(name, {}).get("changes", {})
        told = dict.fromkeys(value, {"required": "yes"}) if name == "required" else choices.get(str(value), {})
        for path, change in told.items():
            changes[path] = changes.get(path, {}) | change
    return changes


def _settled(one, path, changes):
    nested = tuple(_settled(each, f"{path}.{each.name}", changes) for each in one.fields)
    return replace(one, fields=nested, **changes.get(path, {}))


def _field(data):
    data = dict(data)
    nested = tuple(_field(one) for one in data.pop("fields", ()))
    by = data.pop("dictionary_by", None)
    return Field(
        **data | {name: tuple(data.get(name, ())) for name in ("aliases", "empties")},
        fields=nested,
        dictionary_by=(by["field"], by["names"]) if by else (),
    )


def _table(platform, key, data):
    data = dict(data)
    fields = tuple(_field(one) for one in data.pop("fields"))
    parents = tuple((one["table"], one["keys"]) for one in data.pop("parents", ()))
    return Table(platform=platform, key=key, fields=fields, parents=parents, **data | {"identity": tuple(data.get("identity", ()))})


@lru_cache
def load(key):
    """Return the Platform of that key. Raises KeyError with the known keys for another."""
    if key not in platforms():
        raise KeyError(f"{key}: known platforms are {', '.join(platforms())}")
    data = json.loads((resources.files("hanma.upload") / "data" / f"{key}.json").read_text("utf-8"))
    tables = {name: _table(key, name, one) for name, one in data["tables"].items()}
    rest = {name: data.get(name, {}) for name in ("dictionaries", "settings", "synonyms", "facts")}
    return Platform(key, data["title"], tables, **rest)


@lru_cache
def platforms():
    """Return the keys of the platforms there is data for."""
    files = (resources.files("hanma.upload") / "data").iterdir()
    return tuple(sorted(one.name[:-5] for one in files if one.name.endswith(".json")))
