"""Defects planted in a copy of the firmware, each with the campaign that must find it and the name of the finding.

A mutant is caught when that campaign reports a finding of that name; a terminal that merely breaks down is not enough. A scene
on a busy host may break down before it comes to its finding: it survives only when the scene was played some times without.
"""

import tempfile
from dataclasses import dataclass

from host_tests.faults import campaigns, mutation, sweeps
from host_tests.faults.mutation import Edit

_SCENE = "scene"
_TRIES = 3


@dataclass(frozen=True)
class Mutant:
    """edits: what is planted. campaign: "scene" or a sweep; target: the scene, or the sweep's options. finding: its name."""

    name: str
    edits: tuple
    campaign: str
    target: object
    finding: str


def _mutant(name, path, old, new, campaign, target, finding, *more):
    return Mutant(name, (Edit(path, old, new), *more), campaign, target, finding)


_ADDING = {"cases": ["adding"]}
_INTERVAL = "self._unpowered_at is not None and self._unpowered_at + self._settings[_SWITCH_MIN_INTERVAL_S] > self.now:"
_FAIL_OPEN = "if outage is None or self.barred or self.refused or self.is_out_of_service:"

_CUTS = ("upgrade", {"kind": "power", "cases": ["full"], "stride": 1000})


def _attack(name, finding):
    return "upgrade", {"kind": "attacks", "cases": [name]}, finding


MUTANTS = (
    # the outbox
    _mutant(
        "acknowledges before the flush",
        "terminal/outbox.py",
        '            with open(path, "wb" if is_new else "ab") as file:\n                file.write(record)\n',
        '            self._file = open(path, "wb" if is_new else "ab")\n            self._file.write(record)\n',
        "outbox",
        _ADDING,
        "lost",
    ),
    _mutant(
        "loses one record",
        "terminal/outbox.py",
        "        if not self._write(rank,",
        "        if self.sequence != 3 and not self._write(rank,",
        "outbox",
        _ADDING,
        "lost",
    ),
    _mutant(
        "drops alarms before positions",
        "terminal/outbox.py",
        "for victim in range(_RANKS - 1, rank - 1, -1):",
        "for victim in range(_RANKS):",
        "outbox",
        {"cases": ["dropping when full"], "stride": 8},
        "rank",
    ),
    _mutant(
        "forgets what a dropped report explained",
        "terminal/outbox.py",
        "for told in [json.loads(body)",
        "for told in [] and [json.loads(body)",
        "outbox",
        {"cases": ["dropping what explains what was dropped"], "stride": 1000},
        "lost",
    ),
    _mutant(
        "does not look at a record's CRC",
        "terminal/outbox.py",
        "len(body) == length and crc == binascii.crc32(",
        "len(body) == length and crc != 1 + binascii.crc32(",
        "outbox",
        {"kind": "damage", "stride": 7},
        "invented",
    ),
    _mutant(
        "removes a report before its acknowledgement",
        "terminal/desk.py",
        "            try:\n                await self._publish(session, record[3],",
        "            outbox.done(record)\n            try:\n                await self._publish(session, record[3],",
        _SCENE,
        "reports_through_an_outage",
        "report_lost",
    ),
    # orders
    _mutant(
        "obeys a retained order",
        "terminal/desk.py",
        'if retained and action == "1":',
        "if retained and not action:",
        _SCENE,
        "retained_order",
        "retained_order_powered",
    ),
    _mutant(
        "obeys a stale order",
        "terminal/interlock.py",
        "if age_s > self._settings[_COMMAND_MAX_AGE_S]:",
        "if age_s > 1000 * self._settings[_COMMAND_MAX_AGE_S]:",
        _SCENE,
        "stale_orders",
        "stale_order_powered",
    ),
    _mutant(
        "refuses a stop for its age",
        "terminal/desk.py",
        "            age_s = (now_ms - issued_ms) // 1000\n",
        "            age_s = (now_ms - issued_ms) // 1000\n            if age_s > 120 and action == '0':\n                return\n",
        _SCENE,
        "stale_orders",
        "stale_stop_refused",
    ),
    _mutant(
        "skips the read-back",
        "terminal/guard.py",
        "if level and self.relay.has_contact:",
        "if level and not self.relay:",
        _SCENE,
        "contact_that_fails",
        "answered_without_read_back",
    ),
    _mutant(
        "answers before the relay",
        "terminal/interlock.py",
        f"if {_INTERVAL}\n",
        f"if {_INTERVAL}\n                self._switched(_ON)\n",
        _SCENE,
        "switching_interval",
        "answered_before_the_relay",
    ),
    _mutant(
        "keeps no switching interval",
        "terminal/interlock.py",
        f"if {_INTERVAL}",
        f"if not self.now and {_INTERVAL}",
        _SCENE,
        "switching_interval",
        "interval_not_kept",
    ),
    # bans and emergencies
    _mutant(
        "forgets a ban",
        "terminal/records.py",
        "flags = self.barred | self.refused << 1",
        "flags = self.refused << 1",
        _SCENE,
        "ban_and_power_cut",
        "ban_forgotten",
    ),
    _mutant(
        "opens an emergency while barred",
        "terminal/interlock.py",
        _FAIL_OPEN,
        _FAIL_OPEN.replace("self.barred or ", ""),
        _SCENE,
        "ban",
        "powered_while_barred",
    ),
    _mutant(
        "opens an emergency while refused",
        "terminal/interlock.py",
        _FAIL_OPEN,
        _FAIL_OPEN.replace("self.refused or ", ""),
        "records",
        {"cases": ["refused by the platform"]},
        "emergency",
        Edit("terminal/interlock.py", "cause in self._causes and not self.refused", "cause in self._causes"),
        Edit("terminal/interlock.py", "if self.refused and not self._firmware_failed:", "if not self.now:"),
    ),
    _mutant(
        "opens an emergency too early",
        "terminal/interlock.py",
        "wait_s = settings[_FAIL_OPEN_S]",
        "wait_s = settings[_FAIL_OPEN_S] // 2",
        _SCENE,
        "emergency_in_time",
        "emergency_too_early",
    ),
    _mutant(
        "restarts the hand-over on a flap",
        "terminal/interlock.py",
        "self._sum_s += self.now - self._quiet_since",
        "self._sum_s = 0",
        _SCENE,
        "handover_over_flaps",
        "handover_restarted",
    ),
    # resets
    _mutant(
        "powers the welder in boot.py",
        "boot.py",
        '    borrow("start").begin()\n',
        '    import machine\n\n    machine.Pin(21, machine.Pin.OUT, value=1)\n    borrow("start").begin()\n',
        _SCENE,
        "power_cut_at_work",
        "powered_after_a_power_cut",
    ),
    _mutant(
        "resumes after a power cut",
        "terminal/recall.py",
        '    lock.powered = lock.state != "LOCKED"\n',
        '    if was_powered:\n        lock.state = "AUTHORISED"\n    lock.powered = lock.state != "LOCKED"\n',
        _SCENE,
        "power_cut_at_work",
        "powered_after_a_power_cut",
    ),
    _mutant(
        "forgets the orders it has obeyed",
        "terminal/recall.py",
        "flags, lock._over, job, lock._rows = fields",
        "flags, lock._over, job, _ = fields",
        _SCENE,
        "power_cut_at_work",
        "repeat_obeyed",
    ),
    _mutant(
        "does not resume after a crash",
        "terminal/recall.py",
        "if elapsed_s <= lock._settings[_RESUME_WITHIN_S] and",
        "if elapsed_s < 0 and",
        _SCENE,
        "crash_at_work",
        "arc_dropped",
    ),
    _mutant(
        "feeds the watchdog from the guard",
        "terminal/guard.py",
        "        if now_s - self._saved_s >= _SAVE_S:\n",
        "        __import__('machine').WDT(timeout=60000).feed()\n        if now_s - self._saved_s >= _SAVE_S:\n",
        _SCENE,
        "hang",
        "hung_and_never_reset",
    ),
    # records and settings
    _mutant(
        "ignores the CRC of the kept record",
        "terminal/boots.py",
        "== magic and seal(data[:-_CRC_BYTES]) == data",
        "== magic",
        "records",
        {"cases": ["a ban that stays"]},
        "barred",
    ),
    _mutant(
        "keeps one copy only",
        "terminal/store.py",
        "slot = 1 - self._slot",
        "slot = 0",
        "records",
        {"cases": ["a ban that stays"]},
        "barred",
    ),
    _mutant(
        "uses a boot number twice",
        "terminal/boots.py",
        "store.number += 1",
        "store.number += 1 if store.number != 2 else 0",
        "records",
        {"cases": ["the first boots"]},
        "number",
    ),
    _mutant(
        "powers before the order is recorded",
        "terminal/interlock.py",
        "        self._record()\n        if is_new:\n            self._power()\n",
        "        if is_new:\n            self._power()\n        self._record()\n        if is_new:\n            pass\n",
        "records",
        {"cases": ["on and off"]},
        "unreported",
    ),
    _mutant(
        "removes the settings before the new ones are there",
        "terminal/config.py",
        "    os.rename(fresh, path)\n",
        "    if path in os.listdir():\n        os.remove(path)\n    os.rename(fresh, path)\n",
        "config",
        {},
        "config",
    ),
    # upgrades
    _mutant(
        "does not check the signature",
        "terminal/bundle.py",
        'if signature >= modulus or power.to_bytes(KEY_B, "big") != wanted:',
        "if signature >= modulus:",
        *_attack("wrong signature", "accepted"),
    ),
    _mutant(
        "looks for the digest only in the signature",
        "terminal/bundle.py",
        'power.to_bytes(KEY_B, "big") != wanted:',
        'digest not in power.to_bytes(KEY_B, "big"):',
        *_attack("loose padding", "accepted"),
    ),
    _mutant(
        "takes an older release",
        "terminal/bundle.py",
        'if facts["version"] <= running:',
        'if facts["version"] <= 0:',
        *_attack("roll-back to an older release", "accepted"),
    ),
    _mutant(
        "takes an expired release",
        "terminal/bundle.py",
        'if now_ms is not None and now_ms > facts["expires_ms"]:',
        "if now_ms is not None and now_ms < 0:",
        *_attack("freeze: expired", "accepted"),
    ),
    _mutant(
        "obeys a retired key",
        "terminal/bundle.py",
        "key_id_of(key) == self.key_id and self.key_id not in retired:",
        "key_id_of(key) == self.key_id:",
        *_attack("retired key", "accepted"),
    ),
    _mutant(
        "compares sizes, not hashes",
        "terminal/landing.py",
        "if slots.digest_of(self._part) != self._row[1:3]:",
        "if slots.digest_of(self._part)[0] != self._row[1]:",
        *_attack("one changed byte", "not_whole"),
        Edit(
            "terminal/landing.py",
            'if slots.digest_of(self._slot + "/" + name) == (size, digest):',
            'if slots.digest_of(self._slot + "/" + name)[0] == size:',
        ),
        Edit("terminal/bundle.py", "if self._sum.digest() != self._wanted:", "if self._sum.digest() is None:"),
    ),
    _mutant(
        "does not count the crashes of a trial",
        "boot.py",
        "(machine.reset_cause() != machine.PWRON_RESET)",
        "0",
        "upgrade",
        {"kind": "power", "cases": ["roll-back"], "stride": 1000},
        "trial",
    ),
    _mutant(
        "switches without a trial",
        "terminal/slots.py",
        '("%s %s" % (slot, before)).encode()',
        "slot.encode()",
        *_CUTS,
        "untried",
    ),
    _mutant(
        "removes the pointer before the new one is there",
        "terminal/slots.py",
        "    os.rename(fresh, path)\n",
        "    if path in os.listdir():\n        os.remove(path)\n    os.rename(fresh, path)\n",
        "upgrade",
        {"kind": "power", "cases": ["difference"], "first": 200},
        "not_whole",
    ),
)


def run(mutant):
    """Plant it and run its campaign. Returns (caught, the names that were found, texts). Raises mutation.Stale."""
    with tempfile.TemporaryDirectory(prefix="hanma-mutant-") as directory:
        firmware = mutation.copy(f"{directory}/firmware", mutant.edits, name=f"mutant {mutant.name!r}")
        if mutant.campaign == _SCENE:
            found = _played(mutant, firmware)
        else:
            result = sweeps.run(mutant.campaign, mutant.target, firmware=firmware)
            found = [[name, ""] for name in result["names"]] + result["findings"]
    names = sorted({name for name, _ in found})
    return mutant.finding in names, names, [text for _, text in found if text]


def _played(mutant, firmware):
    """Play the mutant's scene until it finds what it must, some times at most; return the last [[name, text], ...]."""
    for _ in range(_TRIES):
        found = [row[1:] for row in campaigns.run(mutant.target, firmware=firmware)["found"]]
        if mutant.finding in [name for name, _ in found]:
            break
    return found
