"""One board from the box to a terminal: the steps in their order. Interrupted anywhere and run again, it ends the same.

Order matters twice. The identity is given in the record before the board hears of it. And main.py leaves the board before any
file is changed and comes back last: a board with half a tree stays at its prompt, where the cable reaches it.
State: one Job for one attempt on one port. Times in seconds.
"""

import base64
import dataclasses
import json
import pathlib
import re
import secrets
import time

from hanma.provision import label, snippets
from hanma.provision.batch import IDENTITY
from hanma.provision.wire import BoardError, Wire, sha256
from hanma.provision.words import Trouble, say

STEPS = ("connect", "chip", "identity", "files", "secret", "verify", "start", "selftest", "lock", "label")
LEAST_MICROPYTHON = (1, 26, 0)
PARTS = ("relay", "modem", "sim", "signal", "registration", "clock", "position", "voice", "flash", "heap", "welding")
_LAST = ("boot.py", "main.py")
_PIECE_B = 3000  # 4000 letters of base64: a few KiB of the board's heap at once
_READY = re.compile(rb"ready (\S+) (\S+) (\S+)")
_SELFTEST_REST_S = 180  # what the self test may take beside the wait for the network


@dataclasses.dataclass(frozen=True)
class Plan:
    """What is the same for every board of a batch.

    files: {path: bytes} of the staged tree, with the CA's file; rows: of the batch; base: settings for all; allowed: parts of the
    self test that may fail; enter_s, ready_s, up_s: how long a board may take to be heard, to get ready, to have a data call.
    """

    board: str
    chip: str
    digest: str
    files: dict
    rows: list
    base: dict
    record: object
    labels: pathlib.Path
    who: str
    template: str = label.TEMPLATE
    lang: str = "zh"
    allowed: frozenset = frozenset()
    replace: bool = False
    is_locked: bool = True
    enter_s: int = 30
    ready_s: int = 60
    up_s: int = 90
    rsrp_dbm: int = -110


class Job:
    """plan; port; tell(port, kind, text, seconds): kind is "step", "row", "note" or "verdict"."""

    def __init__(self, plan, port, tell):
        self.plan, self.port, self._tell = plan, port, tell
        self.chip = self.row = self.number = self._wire = None
        self.versions, self.results = {"tree": plan.digest}, {}
        self._begun = time.monotonic()

    def run(self):
        """Do it all, keep it in the record, and return whether the terminal may leave."""
        trouble = None
        try:
            self._all()
        except Trouble as met:
            trouble = met
        except (BoardError, ValueError) as error:
            trouble = Trouble("board_error", detail=str(error))
        except label.LabelError as error:
            trouble = Trouble("board_error", detail=str(error))
        finally:
            if self._wire:
                self._wire.__exit__()
        failed = self.failed()
        verdict = "fail" if trouble or failed else "pass"
        reason = trouble.words(self.plan.lang) if trouble else "; ".join(failed)
        self._keep(verdict, trouble.code if trouble else ",".join(failed))
        self._tell(self.port, "verdict", verdict, (self.row and self.row.device_id, reason))
        return verdict == "pass"

    def failed(self):
        """Return the parts whose self test failed and may not."""
        return [part for part, (verdict, _) in self.results.items() if verdict == "fail" and part not in self.plan.allowed]

    def _all(self):
        for step in STEPS:
            begun = time.monotonic()
            told = getattr(self, f"_{step}")()
            if told is not None:
                self._tell(self.port, "step", (step, told), time.monotonic() - begun)

    def _keep(self, verdict, reason):
        device_id = self.row and self.row.device_id
        seconds = round(time.monotonic() - self._begun, 1)
        self.plan.record.append(
            who=self.plan.who, port=str(self.port), chip=self.chip, device_id=device_id, number=self.number, verdict=verdict,
            reason=reason, seconds=seconds, versions=self.versions, results=self.results,
        )  # fmt: skip

    def _say(self, code, **facts):
        return say(code, self.plan.lang, **facts)

    # ---- steps: each returns what is shown beside its name, None for nothing to show

    def _connect(self):
        self._wire = Wire(self.port)
        self._enter()
        return str(self.port)

    def _enter(self):
        secret_of = {row.device_id: row.secret.get_secret_value() for row in self.plan.rows}.get
        self._wire.enter(self.plan.enter_s, secret_of, lambda: self._tell(self.port, "note", self._say("hold_button"), 0))
        try:
            self._wire.run(snippets.LEAVE)
        except BoardError:
            pass  # half a tree: nothing runs that could be left

    def _chip(self):
        try:
            facts = json.loads(self._wire.run(snippets.FACTS))
        except (BoardError, ValueError):
            raise Trouble("not_micropython") from None
        self.chip = facts["chip"]
        version = ".".join(map(str, facts["version"]))
        self.versions.update(micropython=facts["release"], machine=facts["machine"], board=self.plan.board)
        if tuple(facts["version"]) < LEAST_MICROPYTHON:
            raise Trouble("old_micropython", version=version, least=".".join(map(str, LEAST_MICROPYTHON[:2])))
        found = facts["machine"].rpartition(" with ")[2].lower().replace("-", "")
        if not re.fullmatch(re.escape(self.plan.chip) + r"([a-z]*|pico.*)", found) and found != self.plan.chip:
            raise Trouble("wrong_chip", machine=facts["machine"], board=self.plan.board, chip=self.plan.chip)
        return f"{self.chip}  MicroPython {version}  {facts['machine']}"

    def _identity(self):
        device = self._identity_there(b"")["device"]
        if device and not self.plan.replace and device not in {row.device_id for row in self.plan.rows}:
            raise Trouble("foreign", device=device)
        given = self.plan.record.give(self.chip, self.plan.rows, device)
        if given is None:
            raise Trouble("batch_empty")
        self.row, self.number, is_new = given
        return f"{self.row.device_id}  No. {self.number:06d}" + ("" if is_new else f"  {self._say('again')}")

    def _files(self):
        wanted = self._wanted()
        there = self._hashes()
        stale = sorted(path for path in there if path.startswith("lib/") and path not in wanted)
        changed = sorted(path for path in wanted if there.get(path) != sha256(wanted[path]))
        if changed or stale:
            self._wire.run(snippets.PREPARE)
            for path in (*_LAST[::-1], *stale):
                self._wire.run(f"drop({path!r})")
            last = [path for path in _LAST if path in wanted]
            for path in [path for path in changed if path not in last] + last:
                self._write(path, wanted[path])
        return self._say("changed", changed=len(changed) + len(stale), total=len(wanted))

    def _wanted(self):
        config = json.dumps({**self.plan.base, **self.row.settings}, ensure_ascii=False, sort_keys=True).encode()
        return {**self.plan.files, "config.json": config}

    def _hashes(self):
        lines = self._wire.run(snippets.HASHES, timeout_s=60).splitlines()
        return dict(json.loads(line) for line in lines)

    def _write(self, path, data):
        try:
            self._wire.run(f"f = make({path!r})")
            for at in range(0, len(data), _PIECE_B):
                piece = base64.b64encode(data[at : at + _PIECE_B]).decode()
                self._wire.run(f"f.write(binascii.a2b_base64('{piece}'))")
            self._wire.run("f.close()")
        except BoardError as error:
            raise Trouble("flash_write", detail=f"{path}: {error}") from error

    def _values(self):
        values = {"device_id": self.row.device_id, "secret": self.row.secret.get_secret_value(), "username": self.row.username}
        return {key: text.encode() if text else None for key, text in values.items()}

    def _identity_there(self, salt):
        return json.loads(self._wire.run(f"SALT = {salt!r}\nKEYS = {IDENTITY!r}\n{snippets.IDENTITY}"))

    def _is_identity_there(self):
        salt = secrets.token_bytes(16)  # so that what is read back tells nothing to who listens
        found = self._identity_there(salt)
        return all(found[key] == (value and sha256(salt + value)) for key, value in self._values().items())

    def _secret(self):
        if self._is_identity_there():
            return self._say("same")
        try:
            self._wire.run(f"VALUES = {self._values()!r}\n{snippets.KEEP}")
        except BoardError as error:
            raise Trouble("flash_write", detail=f"NVS: {error}") from error
        return ""

    def _verify(self):
        wanted, there = self._wanted(), self._hashes()
        wrong = sorted(path for path in wanted if there.get(path) != sha256(wanted[path]))
        if not self._is_identity_there():
            wrong.append("NVS")
        if wrong:
            raise Trouble("differs", detail=", ".join(wrong[:5]))
        return f"{len(wanted)} × SHA-256, NVS"

    def _start(self):
        self._wire.reset()
        ready = self._wire.await_line(_READY, self.plan.ready_s)
        if ready is None or ready[3].decode() != self.row.device_id:
            tail = self._wire.heard.decode(errors="replace").strip().splitlines()
            raise Trouble("not_ready", detail=tail[-1] if tail else "")
        self.versions["firmware"] = ready[1].decode()
        return f"{ready[1].decode()}  {ready[2].decode()}"

    def _selftest(self):
        self._enter()
        code = snippets.SELFTEST.format(up_s=self.plan.up_s, rsrp_dbm=self.plan.rsrp_dbm)
        for line in self._wire.run(code, timeout_s=self.plan.up_s + _SELFTEST_REST_S).splitlines():
            if line.startswith("selftest "):
                part, verdict, detail = json.loads(line.partition(" ")[2])
                self.results[part] = (verdict, detail)
        missing = [part for part in PARTS if part not in self.results]
        self.results.update({part: ("fail", "?") for part in missing})
        self.versions["modem"], self.versions["imei"] = self._detail("modem", 2)
        _, self.versions["iccid"], self.versions["imsi"] = self._detail("sim", 3)
        for part in PARTS:
            self._tell(self.port, "row", (part, *self.results[part]), 0)
        self._check_sim()
        return ""

    def _detail(self, part, count):
        detail = self.results[part][1]
        return detail if isinstance(detail, list) and len(detail) == count else [None] * count

    def _check_sim(self):
        wanted, found = self.row.settings.get("iccid"), self.versions["iccid"]
        if wanted and found and wanted != found:
            raise Trouble("wrong_sim", found=found, wanted=wanted)

    def _lock(self):
        """A board that failed stays open: somebody has to work on it."""
        if not self.plan.is_locked or self.failed():
            self._wire.reset()
            return None
        self._wire.run(snippets.LOCK)
        if self._identity_there(b"")["lock"] != 1:
            raise Trouble("differs", detail="NVS lock")
        self._start()
        return ""

    def _label(self):
        if self.failed():
            return None
        facts = {"number": self.number, "chip": self.chip, "imei": self.versions["imei"], "iccid": self.versions["iccid"]}
        held = {name: text for _, name, text in self.plan.record.labels({self.row.device_id})}
        text = held.get(self.row.device_id) or label.content(self.plan.template, self.row, facts)
        path = label.save_png(self.plan.labels, self.number, self.row.device_id, text)
        self.plan.record.note_label(self.row.device_id, text)
        return str(path)
