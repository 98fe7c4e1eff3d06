"""From rows to records with all their problems: values, constants of the site, what can be reckoned, what is missing, rules.

A Checker is prepared once for a table and a site; it remembers the identities it saw, so that a record that comes twice in
one run is found. Nothing is read from a clock or a store but what the caller hands in.
"""

import importlib.util
from dataclasses import replace
from importlib import import_module

from . import body, catalogue, columns, images, numbers, rules_common
from .coding import blank, coder
from .findings import (
    ALREADY,
    CONSTANT_FACT,
    CONSTANT_UNKNOWN,
    EMPTY_REFUSED,
    EPIDEMIC_OFF,
    FUTURE,
    MISSING,
    MISSING_UNSETTLED,
    NO_PARENT,
    PARENT_REFUSED,
    SAME_AGAIN,
    TWICE,
    UNKNOWN_FIELD,
)
from .misreadings import problem
from .problems import WARNING, Problem
from .record import Attachment, Record

_STATES = {"queued": "等待发送", "sending": "正在发送", "waiting": "等待上级记录", "uncertain": "结果不明", "accepted": "已接收"}
_STATES |= {"refused": "被拒收", "held": "等待确认"}
# What a profile never gives, whatever the document's data says of the field.
_FACT_TYPES = ("date", "datetime", "decimal", "float", "integer", "image", "file", "array")


def check(rows, table, site, now, known=None):
    """Return a Record for each row. now: an aware time. known(table's key, identity) → the store's state of that record or
    None; known.others(table's key), where it has it, → bodies of that table that weren't refused. A part of an identity that
    isn't known is None. ValueError when the site's settings aren't the document's."""
    return list(each(rows, table, site, now, known))


def each(rows, table, site, now, known=None):
    """Yield the Records one by one, for more rows than should lie in memory."""
    checker = Checker(table, site, now, known)
    for row in rows:
        yield checker.record(row)


class Checker:
    """Checks rows of one table for one site. See check for the arguments."""

    def __init__(self, table, site, now, known=None):
        self.platform = catalogue.load(table.platform)
        self.table = table.settled(site.settings)
        self._site, self._known = site, known
        self._now = now.astimezone(rules_common.SHANGHAI).replace(tzinfo=None)
        off = not site.today_epidemic(self._now.date())
        every = columns.fields_of(self.table)
        self._off = [one for one in every if one.epidemic and off]
        self._fields = {one.name: one for one in every if one not in self._off}
        self._names = frozenset(one.name for one in every)
        self._readers = [(name, coder(one, self.platform)) for name, one in self._fields.items()]
        self._profile = []  # what is wrong with the profile holds for every record
        self._constants = self._read_constants(self._site_values())
        device = self.table.of_concept("device_code")
        self._device = device.name if device and site.devices else ""
        self._by_device = {code: self._constants | self._of_device(given) for code, given in site.devices.items()}
        self._empties = self._read_empties()
        self._derivers = [make for one in self._fields.values() if (make := self._deriver(one))]
        self._photos = [one for one in self._fields.values() if one.type == "image"]
        self._folder = site.directory / site.photos
        self._latest = [one for one in self._fields.values() if one.latest_now]
        self._lists = [one for one in self._fields.values() if one.fields]
        self._found, self._seen, self._parents = [], {}, {}
        self._rules = self._make_rules()

    # Preparing

    def _make_rules(self):
        others = getattr(self._known, "others", None) or (lambda table: ())
        settings = self.platform.chosen(self._site.settings)
        context = rules_common.Context(self.table, self.platform, self._site, settings, self._now, self._say, others)
        made = rules_common.rules(context)
        own = f"{__package__}.rules_{self.platform.key}"
        if importlib.util.find_spec(own) and hasattr(module := import_module(own), "rules"):
            made += module.rules(context)
        return made

    def _site_values(self):
        """Return field → constant: the table's own before those of the concept or the name."""
        site, given = self._site, {}
        for name, one in self._fields.items():
            for key in (one.concept, name):
                if key in site.values:
                    given[name] = site.values[key]
        return given | site.tables.get(self.table.key, {})

    def _of_device(self, given):
        """Return a device's constants that are fields here; what is a field of another table is no fault."""
        elsewhere = {one.name for table in self.platform.tables.values() for one in table.fields} - self._names
        return self._read_constants({name: cell for name, cell in given.items() if name not in elsewhere})

    def _read_constants(self, given):
        values = {}
        for name, cell in given.items():
            one = self._fields.get(name)
            if one is None:
                self._profile += [] if name in self._names else [Problem(CONSTANT_UNKNOWN, words={"name": name})]
            elif one.fact or one.privacy or one.type in _FACT_TYPES:
                self._profile.append(problem(CONSTANT_FACT, one))
            else:
                values[name] = coder(one, self.platform)(cell, values, self._profile)
        return {name: value for name, value in values.items() if value is not None}

    def _read_empties(self):
        """Return path → empty value, for what the site switched on in this table."""
        empties = {}
        paths = {f"{self.table.key}.{path}": one for path, one in _paths(self.table.fields)}
        for path, value in self._site.empty.items():
            one = paths.get(path)
            if one is not None and value in one.empties:
                empties[path.partition(".")[2]] = value
            elif one is not None:
                self._profile.append(problem(EMPTY_REFUSED, replace(one, privacy=""), value))
            elif path.startswith(self.table.key + "."):
                self._profile.append(Problem(CONSTANT_UNKNOWN, words={"name": path}))
        return empties

    def _deriver(self, one):
        kind, _, source = one.derived.partition(":")
        if kind == "none":
            source, _, code = source.partition("=")
            return one.name, lambda values: [] if values.get(source) == code else None
        reckon = _RECKON.get(kind)
        return reckon and (one.name, lambda values: reckon(one, values, values.get(source), self.table))

    # One row

    def record(self, row):
        """Return the Record of a row."""
        if row.problems and not row.cells:
            return Record(self.table.platform, self.table.key, {}, row.place, problems=list(row.problems))
        cells, found = row.cells, [*self._profile, *row.problems]
        self._found = found
        constants = self._constants_of(cells) if self._device else self._constants
        values, given = {}, []
        for name, read in self._readers:
            cell = cells.get(name)
            if cell is None or cell == "" or (type(cell) is str and (cell.isspace() or not cell.isprintable()) and blank(cell)):
                if name in constants:
                    values[name] = constants[name]
                    given.append(name)
            else:
                values[name] = read(cell, values, found)
        self._foreign(cells)
        wrong = self._wrong(found, row.columns) if found else set()
        self._add_photos(values, given, wrong)
        derived = self._derive(values, wrong)
        self._require(values, given, wrong, derived)
        values = {name: value for name, value in values.items() if value is not None}
        for rule in self._rules:
            rule(values)
        self._future(values)
        self._compare(values, row.place)
        return Record(
            self.table.platform,
            self.table.key,
            values,
            row.place,
            set(derived),
            set(given),
            self._placed(found, row) if found else [],
        )

    def _wrong(self, found, headings):
        """Return the fields whose cell was there and can't be used: they aren't missing besides."""
        mine = [one for one in found[len(self._profile) :] if one.grave]
        lost = {one.place.column for one in mine}
        return {one.field.partition("[")[0] for one in mine} | {name for name, heading in headings.items() if heading in lost}

    def _constants_of(self, cells):
        """Return the constants of the device that a row names, or that is the site's only one."""
        cell = cells.get(self._device)
        code = self._constants.get(self._device) if blank(cell) else coder(self._fields[self._device], self.platform)(cell, {}, [])
        return self._by_device.get(code, self._constants)

    def _say(self, rule, field, cell="", path="", **words):
        one = problem(rule, field, cell, **words)
        self._found.append(replace(one, field=path + one.field) if path else one)

    def _foreign(self, cells):
        for name in cells.keys() - self._names:
            if not blank(cells[name]):
                self._found.append(Problem(UNKNOWN_FIELD, field=name, words={"name": name}))
        for one in self._off:
            if not blank(cells.get(one.name)):
                self._say(EPIDEMIC_OFF, one)

    def _add_photos(self, values, given, wrong):
        """Take a picture that lies in the site's folder under the record's own name where no cell names one."""
        for one in self._photos:
            stem = "" if values.get(one.name) or one.name in wrong else images.stem(self.table, one, values)
            if stem:
                picture, found = images.find(self._folder, stem, one)
                self._found += found
                wrong |= {one.name} if found else set()
                if picture:
                    values[one.name] = picture
                    given.append(one.name)

    def _derive(self, values, wrong):
        derived = []
        for name, reckon in self._derivers:
            if not values.get(name) and name not in wrong:
                value = reckon(values)
                if value is not None:
                    values[name] = value
                    derived.append(name)
        for one in self._lists:
            derived += [f"{one.name}.{name}" for item in values.get(one.name) or () for name in _name_files(one, item)]
        return derived

    def _require(self, values, given, wrong, derived):
        for name, one in self._fields.items():
            if one.required == "no" or values.get(name) or name in wrong or name in derived:
                continue
            if values.get(name) in (None, [], "") and _needed(one, values) and not _will_come(one, values):
                self._missing(one, values, given)
        for one in self._lists:
            self._require_inside(one, values.get(one.name), given, {each.field for each in self._found if each.grave})

    def _require_inside(self, outer, items, given, wrong, before=""):
        for number, item in enumerate(items or (), 1):
            path = f"{before}{outer.name}[{number}]."
            for one in outer.fields:
                lacks = one.required == "yes" and item.get(one.name) in (None, [], "") and not _will_come(one, item)
                if lacks and path + one.name not in wrong:
                    self._missing(one, item, given, path)
                if one.fields:
                    self._require_inside(one, item.get(one.name), given, wrong, path)

    def _missing(self, one, values, given, path=""):
        place = "".join(part for part in _steps(path)) + one.name
        if place in self._empties:
            values[one.name] = self._empties[place]
            given.append(place)
        else:
            self._say(MISSING_UNSETTLED if one.empties else MISSING, one, path=path)

    def _future(self, values):
        for one in self._latest:
            if rules_common.later(values.get(one.name), self._now):
                self._say(FUTURE, one, values[one.name])

    def _compare(self, values, place):
        """With what came before it in this run, and with the store."""
        identity = tuple([values.get(name) for name in self.table.identity])
        if None in identity:
            return
        content = hash(tuple(values.values())) if not self._lists else hash(repr(values))
        first = self._seen.setdefault(identity, (content, place.row))
        if first[1] != place.row:
            rule = SAME_AGAIN if first[0] == content else TWICE
            self._found.append(Problem(rule, words={"row": first[1]}))
        if self._known is not None:
            state = self._known(self.table.key, tuple(map(str, identity)))
            if state and first[1] == place.row:
                self._found.append(Problem(ALREADY, words={"state": _STATES.get(state, state)}))
            self._look_for_parents(values)

    def _look_for_parents(self, values):
        for key, identity in body.parents(values, self.table, self.platform):
            if (key, identity) not in self._parents:
                self._parents[key, identity] = self._known(key, identity)
            state = self._parents[key, identity]
            if state in (None, "refused"):
                rule = NO_PARENT if state is None else PARENT_REFUSED
                self._found.append(Problem(rule, words={"title": self.platform.tables[key].title}))

    def _placed(self, found, row):
        """Return the problems with their place, which reading may have told, as grave as the site makes them."""
        placed, chosen = [], self._site.rules
        for one in found:
            severity = chosen.get(one.rule.name, "") if one.rule.severity == WARNING else ""
            if severity != "off":
                placed.append(replace(one, place=self._where(one, row), severity=severity or one.severity))
        return placed

    def _where(self, one, row):
        """Return a problem's place: the heading the row has for its field, or the field's label."""
        if one.place.row:
            return one.place
        name = one.field.partition("[")[0]
        top = self._fields.get(name)
        return row.place.at(row.columns.get(name) or (top.label if top else one.field))


def _paths(fields, before=""):
    for one in fields:
        yield before + one.name, one
        yield from _paths(one.fields, f"{before}{one.name}.")


def _steps(path):
    """Return "a[2].b[1]." as "a.", "b."."""
    return [f"{part.partition('[')[0]}." for part in path.split(".") if part]


def _needed(one, values):
    return one.required == "yes" or any(str(values.get(name)) in codes for name, codes in one.when.items())


def _will_come(one, values):
    """Return whether a missing value will be reckoned once the one it hangs on is there: that one's problem is enough."""
    source = one.derived.partition(":")[2].partition("=")[0]
    return bool(source) and values.get(source) is None


def _name_files(outer, item):
    """Give the unnamed attachments of a list's item their file's name; return the fields that got one."""
    named = []
    for one in outer.fields:
        if one.derived.startswith("name:") and item.get(one.name) is None:
            name = _file_name(one, item, item.get(one.derived.partition(":")[2]), None)
            item |= {one.name: name} if name else {}
            named += [one.name] if name else []
        for inner in item.get(one.name) or () if one.fields else ():
            _name_files(one, inner)
    return named


def _file_name(one, values, attachment, table):
    return attachment.name or None if isinstance(attachment, Attachment) else None


def _day(one, values, moment, table):
    return moment.date() if moment else None


def _of_citizen_id(reckon):
    def derive(one, values, number, table):
        sure = number and rules_common.citizen(values, table.fields) and not numbers.citizen_id_fault(number)
        return reckon(one, number) if sure else None

    return derive


_RECKON = {
    "day": _day,
    "birth": _of_citizen_id(lambda one, number: numbers.birth(number)),
    "sex": _of_citizen_id(rules_common.sex),
    "name": _file_name,
}
