"""The test at the welder: a terminal that has been fitted is switched on and off by real orders, and shown to open by itself.

Every order goes the whole way: platform, broker, terminal, relay. The first one is a stop that opens a rehearsal on the terminal;
while it lasts the wait for an emergency is short, and at its end the terminal stops by itself whoever is still there. So nothing
stays switched if this program, its network or its power is gone. State: the results so far. Times in seconds, moments in UTC.
"""

import asyncio
import dataclasses
import datetime
import time

from hanma.bench.platform import ANSWER_TIMEOUT_S
from hanma.provision.words import Trouble

STEPS = ("online", "switch_on", "switch_off", "contact", "position", "voice", "fail_open", "at_rest")
_LAST_TRIES = 5
_REPORT_S = 30  # from an answer to the report of what was done
_MARGIN_S = 2  # both clocks are cut to whole seconds


@dataclasses.dataclass(frozen=True)
class Limits:
    """online_s: how long the terminal may take to answer at all. self_test_s: its self test. position_s: its first position after
    that. wait_s: the shortened wait for an emergency. rehearsal_s: when the terminal puts everything back by itself."""

    online_s: int = 120
    self_test_s: int = 120
    position_s: int = 60
    wait_s: int = 180
    rehearsal_s: int = 900


@dataclasses.dataclass
class Result:
    """What one step found: verdict "ok", "fail" or "none" (the terminal has no such part); trouble: what stands in the way."""

    step: str
    time: str
    seconds: float
    verdict: str
    detail: str
    trouble: Trouble | None = None
    answered_by: str = ""  # who said so, where a person was asked: "technician" or "--yes"


class Acceptance:
    """platform: `hanma.bench.platform.Platform`, running. ask(code): asks the technician, returns (bool, answered by); awaited.

    tell(result): shows one step when it is done. note(code, **facts): shows words between.
    """

    def __init__(self, platform, device_id, job, limits, ask, tell, note):
        self.results = []
        self._platform, self._device_id, self._job, self._limits = platform, device_id, job, limits
        self._ask, self._tell, self._note = ask, tell, note
        self._by = ""
        self._rows = {}
        self._place = None  # as reported with the switching
        self._is_heard = False  # an order was answered
        self._rehearsal = None  # the terminal's report that it began
        self._has_power = False  # as far as is known

    async def run(self):
        """Do all steps and return whether it passed. Whatever ends it, also cancellation: the last step stops the terminal."""
        try:
            for step in STEPS[:-1]:
                if not await self._step(step) and step in ("online", "switch_off"):
                    break
        finally:
            await self._step("at_rest")
        return self.passed()

    def passed(self):
        """Return whether every step was done, and none failed."""
        return [one.step for one in self.results] == list(STEPS) and all(one.verdict != "fail" for one in self.results)

    async def _step(self, step):
        begun, moment, trouble = time.monotonic(), _now(), None
        self._by = ""
        try:
            verdict, detail = await getattr(self, "_" + step)()
        except Trouble as met:
            verdict, detail, trouble = "fail", str(met), met
        except asyncio.CancelledError:
            trouble = Trouble("interrupted")
            self._keep(Result(step, moment, round(time.monotonic() - begun, 1), "fail", str(trouble), trouble))
            raise
        self._keep(Result(step, moment, round(time.monotonic() - begun, 1), verdict, detail, trouble, self._by))
        return trouble is None

    def _keep(self, result):
        self.results.append(result)
        self._tell(result)

    # ---- the steps: each returns (verdict, figures), or raises Trouble

    async def _online(self):
        end = time.monotonic() + self._limits.online_s
        while True:
            mark = self._platform.seen_count
            answer = await self._stop()
            if answer.code is not None:
                break
            if time.monotonic() >= end:
                raise Trouble("not_online", device=self._device_id, seconds=self._limits.online_s)
        self._is_heard = True
        self._expect(answer, "off_refused")
        self._rehearsal = await self._report("rehearsal", mark, _REPORT_S)
        return "ok", _took(answer)

    async def _switch_on(self):
        mark = self._platform.seen_count
        answer = await self._order(1, job=self._job)
        self._has_power = answer.code in (None, 200)
        self._expect(answer, "on_refused")
        event = await self._switching(1, mark)
        if event is None:
            raise Trouble("on_unreported")
        self._place = event.get("position")
        return "ok", _took(answer)

    async def _switch_off(self):
        mark = self._platform.seen_count
        self._note("listen")
        answer = await self._stop(self_test=True)
        self._expect(answer, "off_refused")
        if await self._switching(0, mark) is None and self._has_power:
            raise Trouble("off_unreported")
        self._has_power = False
        rows = await self._report("self_test", mark, self._limits.self_test_s)
        self._rows = {row[0]: row[1:] for row in rows["self_test"]} if rows else {}
        return "ok", _took(answer)

    async def _contact(self):
        """Powered it was read back before the order was answered; here is what it says without power."""
        alarms = set(self._view().alarms) & {"contact_failed", "contact_stuck"}
        if alarms:
            raise Trouble("contact_wrong", detail=", ".join(sorted(alarms)))
        said = str(self._row("relay")[1])
        if said.endswith("contact False"):
            if self._verdict_of("switch_on") != "ok":
                raise Trouble("contact_wrong", detail="on: ?")
            return "ok", "on True, off False"
        if said.endswith("contact True"):
            raise Trouble("contact_wrong", detail="off: True")
        await self._confirm("ask_welder", "welder_dead")
        return "none", "no read-back"

    async def _position(self):
        verdict, detail = self._row("position")
        place = None
        if verdict != "fail":  # a terminal that was just switched on looks for its first position still
            place = await self._platform.wait_until(self._reported_place, self._limits.position_s)
        if place is None:
            raise Trouble("no_position", detail=detail)
        return "ok", f"{place['lat']}, {place['lng']} ({place.get('system')}, {place.get('source')})"

    def _reported_place(self):
        """Return the last position that the terminal has reported, None for none."""
        place = self._view().position or self._place or {}
        return None if place.get("lat") is None or place.get("lng") is None else place

    async def _voice(self):
        verdict, detail = self._row("voice")
        if verdict == "none":
            return "none", "no loudspeaker"
        if verdict != "ok":
            raise Trouble("no_voice", detail=detail)
        await self._confirm("ask_heard", "not_heard")
        return "ok", str(detail)

    async def _fail_open(self):
        mark = self._platform.seen_count
        self._expect(await self._stop(), "off_refused")
        began = await self._report("rehearsal", mark, _REPORT_S)
        if began is None or self._rehearsal is None:
            raise Trouble("no_rehearsal")
        self._note("antenna_off", seconds=self._limits.wait_s)
        self._has_power = True
        event = await self._switching(1, mark, "emergency", self._limits.rehearsal_s)
        if event is None:
            raise Trouble("not_opened", seconds=self._limits.rehearsal_s)
        times = (event.get("time"), began.get("time"))
        if None in times:
            return "ok", f"{self._limits.wait_s} s set"
        after_s = (times[0] - times[1]) // 1000
        if after_s < self._limits.wait_s - _MARGIN_S:
            raise Trouble("opened_early", seconds=after_s, wanted=self._limits.wait_s)
        return "ok", f"{after_s} s ({self._limits.wait_s} s set)"

    async def _at_rest(self):
        """Stop without a wish: the rehearsal is over. Tried again and again, for the link may be only coming back."""
        mark = self._platform.seen_count
        for _ in range(_LAST_TRIES if self._is_heard else 1):
            answer = await self._order(0)
            if answer.code is not None:
                break
        else:
            raise Trouble("not_at_rest", minutes=-(-self._limits.rehearsal_s // 60))
        self._expect(answer, "off_refused")
        if self._rehearsal is None:
            return "ok", _took(answer)
        ended = await self._report("rehearsal", mark, _REPORT_S)
        if ended is None or ended["rehearsal"].get("for_s") != 0:
            raise Trouble("not_restored", minutes=-(-self._limits.rehearsal_s // 60))
        return "ok", f"fail_open_after_s {ended['rehearsal']['fail_open_after_s']}"

    # ---- orders and reports

    async def _stop(self, **wishes):
        rehearsal = {"fail_open_after_s": self._limits.wait_s, "for_s": self._limits.rehearsal_s}
        return await self._order(0, extra={"rehearsal": rehearsal, **wishes})

    async def _order(self, action, **more):
        """Give one order, and wait for its answer as long as for a lost connection to the broker."""
        try:
            await asyncio.wait_for(self._platform.connected.wait(), ANSWER_TIMEOUT_S)
        except asyncio.TimeoutError:
            pass  # the order finds out what is wrong
        return await self._platform.command(self._device_id, action, **more)

    def _expect(self, answer, code):
        """Raise Trouble where an order was not answered with 200."""
        if answer.code is None:
            raise Trouble("unanswered")
        if answer.code != 200:
            raise Trouble(code, detail=answer.message)

    async def _report(self, name, mark, timeout_s):
        """Return the first content with this name since then, or None."""
        return await self._wait(lambda content: content if name in content else None, mark, timeout_s)

    async def _switching(self, relay, mark, cause="", timeout_s=_REPORT_S):
        """Return the first switching of that kind reported since then, or None."""

        def found(content):
            event = content.get("event")
            if isinstance(event, dict) and event.get("relay") == relay and str(event.get("cause", "")).startswith(cause):
                return event
            return None

        return await self._wait(found, mark, timeout_s)

    async def _wait(self, look, mark, timeout_s):
        def found():
            fresh = self._platform.seen_count - mark
            for seen in list(self._platform.messages)[-fresh:] if fresh else ():
                content = (seen.body or {}).get("content")
                if seen.direction == "up" and seen.device == self._device_id and isinstance(content, dict):
                    value = look(content)
                    if value is not None:
                        return value
            return None

        return await self._platform.wait_until(found, timeout_s)

    def _view(self):
        return self._platform.devices[self._device_id]

    def _row(self, part):
        """Return (verdict, detail) of the terminal's self test. Raises Trouble where it did not come."""
        if part not in self._rows:
            raise Trouble("no_self_test", seconds=self._limits.self_test_s)
        return self._rows[part]

    def _verdict_of(self, step):
        return next((one.verdict for one in self.results if one.step == step), None)

    async def _confirm(self, question, refusal):
        is_so, self._by = await self._ask(question)
        if not is_so:
            raise Trouble(refusal)


def _took(answer):
    return f"{answer.took_ms:.0f} ms"


def _now():
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
