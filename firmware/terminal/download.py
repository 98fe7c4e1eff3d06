"""The fetching of a release, one range at a time: its beginning first, which must be right before anything else comes in.

The part of `upgrade` for the phase "fetch". Borrowed for each range; what it owns is on flash.
"""

import asyncio
import gc
import os
import sys

from micropython import const

from terminal import bundle, fetch, http, landing, slots
from terminal.borrow import borrow
from terminal.tls import Untrusted

_WAIT_S = const(60)
_NEXT_S = const(1)
_AGAIN_S = const(10)  # after a range that was cut; doubled each time that hardly a byte came
_IDLE_S = const(3600)
_DAY_S = const(86400)
_RANGE_B = const(32768)
_BEGINNING_B = const(16384)
_CONNECTION_B = const(6144)  # handshake with a chain of three, request and head, both ways
_RESERVE_B = const(196608)  # of flash, for what waits in the outbox and for settings
_HEAP_B = const(8192)  # what a range takes beside this code
_TRIES = const(48)  # failures in a row: two days
_PROGRESS_B = const(1024)  # a range that brings less has failed too: a server that drips would hold an order for ever
_KEYS = "release.keys"
_ENOSPC = const(28)


class Download:
    """One range's worth of fetching. round: `upgrade.Round`, which has the state and ends the order."""

    def __init__(self, round):
        self._round = round

    async def run(self):
        """Fetch the release's beginning, or the next range of it; return the seconds until the next look."""
        if self._round.herald.link.cause is not None or self._round.parts.clock.unix_s() is None:
            return _WAIT_S
        gc.collect()
        if gc.mem_free() < _HEAP_B:
            return self._round.finish("failed", "no_memory")
        slot = slots.spare(self._round.slot)
        slots.make(slot)
        try:
            if not self._round.state.get("admitted"):
                return await self._fetch_beginning(slot)
            if "image" in self._round.state:
                with open(borrow("image").NEXT, "rb") as file:
                    return await self._fetch_image(file)
            with open(slot + "/bundle", "rb") as file:
                return await self._fetch_files(slot, file)
        except bundle.Refused as refused:
            return self._round.finish("refused", refused.args[0])
        except http.HttpError as error:
            if error.args[0] != "answer":
                return self._round.finish("failed", error.args[0])
        except (fetch.Cut, Untrusted) as error:
            self._round.herald.log("upgrade cut: %s" % error)
        except (OSError, _Flash) as error:
            return self._round.finish("failed", "no_room" if error.args[0] == _ENOSPC else "flash")
        return self._later()

    def _later(self):
        """It failed and may go well another time."""
        tries = self._round.state.get("tries", 0)
        if tries >= _TRIES:
            return self._round.finish("failed", "unreachable")
        return min(_AGAIN_S << min(tries, 9), _IDLE_S)

    async def _pull(self, begin, end, take):
        """Fetch a range. Returns (whether it was let through by the day's bytes, size of the whole or None)."""
        state = self._round.state
        day = self._round.parts.clock.unix_s() // _DAY_S
        if state.get("day") != day:
            state["day"] = day
            state["used_b"] = 0
        cost_b = end - begin + _CONNECTION_B
        if state["used_b"] + cost_b > self._round.config.ota_bytes_per_day:
            return False, None
        state["used_b"] += cost_b
        state["tries"] = state.get("tries", 0) + 1
        slots.save_state(state)
        into = _Sink(take)
        url = state["url"]
        modem = self._round.herald.modem
        try:
            size = await fetch.pull(modem, self._round.config, url, slots.token_for(self._round.nvs, url), begin, end, into.take)
        finally:
            if into.taken_b >= min(_PROGRESS_B, end - begin):
                state["tries"] = 0
            slots.save_state(state)
        return True, size

    async def _fetch_beginning(self, slot):
        """Fetch head and manifest, and let nothing else in before they are right."""
        path = slot + "/bundle.new"
        with open(path, "wb") as file:
            beginning = _Beginning(file)
            is_let, size = await self._pull(0, _BEGINNING_B, beginning.take)
        if not is_let:
            return _IDLE_S
        with open(path, "rb") as file:
            found = await self._verified(file)
            reason = await self._judged(found, slot, size)
            if reason:
                return self._round.finish("refused", reason)
            facts = found.facts()
            if facts["kind"] == "tree":
                await _through(landing.admit(slot, found))
        if facts["kind"] == "image":
            borrow("image").admit(self._round, path)
        self._round.state.update(
            {"admitted": True, "version": facts["version"], "retires": facts["retires"], "slot": slot, "next_text": facts["text"]}
        )
        slots.save_state(self._round.state)
        return _NEXT_S

    async def _verified(self, file):
        """Return the Bundle over a file, its signature checked. Raises Refused, OSError."""
        with open(_KEYS, "rb") as keys:
            known = bundle.split_keys(keys.read(2 * bundle.KEY_B))
        found = bundle.Bundle(file)
        await _through(found.verifying(known, slots.retired(self._round.nvs)))
        return found

    async def _judged(self, found, slot, size):
        """Return the reason's code why a verified release is not for this terminal, or None."""
        place, tree = self._round.slot, None
        is_image = found.facts()["kind"] == "image"
        if is_image:
            image = borrow("image")
            partition = image.target()
            if partition is None:
                return "no_partition"
            place, room_b = slots.IMAGE, partition.info()[3]
        else:
            room_b = _free_b() + landing.taken_b(slot) - _RESERVE_B
        running = await self._version_of(place)
        if found.facts()["base"]:
            tree = await _through(landing.tree_of(self._round.slot))
        now_s = self._round.parts.clock.unix_s()
        reason = found.check(self._round.parts.board["name"], _micropython(), running, now_s and now_s * 1000, tree, max(0, room_b))
        whole_b = found.files_at + found.facts()["carried_bytes"]
        if not reason and not is_image and landing.needed_b(found) > room_b:
            reason = "too_large"
        if not reason and size is not None and size != whole_b:
            reason = "truncated" if size < whole_b else "too_large"
        if not reason and self._round.state.get("by") == "hour" and found.facts()["version"] == self._round.state.get("failed"):
            reason = "repeated"
        return reason

    async def _version_of(self, place):
        """Return the version of the release whose beginning is kept there, 0 for one that was flashed by cable.

        Where the beginning has been damaged since, it is the version that was noted when the release was confirmed.
        """
        try:
            with open(place + "/bundle", "rb") as file:
                return (await self._verified(file)).facts()["version"]
        except OSError:
            return 0
        except bundle.Refused:
            return (self._round.state.get("numbers") or {}).get(place, 0)

    async def _fetch_files(self, slot, file):
        """Fetch the next range of what is missing; the release is ready when nothing is."""
        found = await self._verified(file)
        incoming = landing.Landing(slot, self._round.slot, found)
        try:
            at = await _through(incoming.missing())
            if at is not None:
                end = min(at + _RANGE_B, found.files_at + found.facts()["carried_bytes"])
                is_let, _ = await self._pull(at, end, incoming.feed)
                return _NEXT_S if is_let else _IDLE_S
        finally:
            incoming.close()
        return self._is_ready()

    async def _fetch_image(self, file):
        """Fetch the next range of an image, while no welder is powered; it is ready when all of it was read back."""
        image = borrow("image")
        state = self._round.state
        found = await self._verified(file)
        ((_name, size, digest, offset),) = found.files()
        begin = offset + state["done"]
        if state["done"] < size:
            if not self._round.is_locked():
                return _WAIT_S
            incoming = image.Landing(state, size, self._round.is_locked)
            is_let, _ = await self._pull(begin, min(begin + _RANGE_B, offset + size), incoming.feed)
            return _NEXT_S if is_let else _IDLE_S
        await _through(image.hashing(state, size, digest))
        return self._is_ready()

    def _is_ready(self):
        """The release is whole: what follows is the switch."""
        self._round.state["phase"] = "ready"
        self._round.tell_all("ready")
        slots.save_state(self._round.state)
        return _NEXT_S


class _Beginning:
    """Takes the bytes of a bundle up to the end of its manifest."""

    def __init__(self, file):
        self._file = file
        self._head = b""
        self._left = bundle.HEAD_B

    def take(self, chunk):
        """Write what belongs to the beginning; return whether that is all of it. Raises Refused."""
        rest = chunk
        while self._left and len(rest):
            piece = rest[: self._left]
            self._file.write(piece)
            self._left -= len(piece)
            rest = rest[len(piece) :]
            if self._head is not None:
                self._head += bytes(piece)
                if not self._left:
                    self._left = bundle.parse_header(self._head)[0]
                    self._head = None
        return not self._left


class _Flash(Exception):
    """An OSError of the file system, on its way through where those of the network are caught."""


class _Sink:
    """Hands bytes on to take, whose OSErrors are told from the network's. taken_b: how many came."""

    def __init__(self, take):
        self.taken_b = 0
        self._take = take

    def take(self, chunk):
        """See fetch.pull()."""
        self.taken_b += len(chunk)
        try:
            return self._take(chunk)
        except OSError as error:
            raise _Flash(error.args[0]) from None


def _micropython():
    """Return the version that runs, such as "1.26.1"."""
    return "%d.%d.%d" % sys.implementation.version[:3]


def _free_b():
    found = os.statvfs(".")
    return found[1] * found[3]


async def _through(steps):
    """Take a generator's steps to their end, others in between; return its value."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value
        await asyncio.sleep_ms(0)
