"""A whole MicroPython image: into the next OTA partition, its trial, and the way back. Borrowed by an upgrade; flash only.

Trial and way back are the bootloader's (esp-idf, "App Rollback"): what set_boot() chose is started once, and unless it is marked
valid the next reset, of whatever kind, starts the image before it again. A welder that is switched off at the mains goes back so
too; then it is switched to again. Only crashes count against it, and returns in a row without a session between.

`image/next` is the verified beginning of the bundle on its way, `image/bundle` of the one that was confirmed. The upgrade's state
has `image`, the partition's label, `done`, the bytes that were written and read back, `crashes` and `returns`.
"""

import hashlib
import os

import machine
from esp32 import Partition
from micropython import const

from terminal import slots
from terminal.bundle import Refused

NEXT = slots.IMAGE + "/next"
_CONFIRMED = slots.IMAGE + "/bundle"
_BLOCK_B = const(4096)
_CHUNK_B = const(512)
_ERASE = const(6)  # a block device's request
_OTA_DATA = const(0)  # subtype
_CRASHES = const(3)
_RETURNS = const(8)
_NEXT_S = const(1)
_WAIT_S = const(60)
_EIO = const(5)
_NOT_VALID = const(-0x1503)  # ESP_ERR_OTA_VALIDATE_FAILED, as set_boot raises it


def target():
    """Return the partition that an image can be written to, None where the table has no other one than that which runs."""
    try:
        running = Partition(Partition.RUNNING)
        found = running.get_next_update()
    except OSError:
        return None
    if found.info()[4] == running.info()[4] or not Partition.find(Partition.TYPE_DATA, subtype=_OTA_DATA):
        return None
    return found


def admit(round, path):
    """From here on the next partition belongs to the bundle whose verified beginning lies at path. Raises OSError."""
    slots.make(slots.IMAGE)
    os.rename(path, NEXT)
    round.nvs.set_i32("trial_s", 0)
    round.nvs.commit()
    round.state.update({"image": target().info()[4], "done": 0, "crashes": 0, "returns": 0})


class Landing:
    """The image's bytes on their way into its partition, each read back.

    state: the upgrade's. size: the image's, in bytes. may_write: returns whether flash may be written to now: while a welder is
    powered, nothing may stop the processor for as long as an erase takes.
    """

    def __init__(self, state, size, may_write):
        self._partition = Partition(state["image"])
        self._state = state
        self._size = size
        self._may_write = may_write
        self._at = state["done"]
        self._room = memoryview(bytearray(_CHUNK_B))

    def feed(self, chunk):
        """Take the bytes that follow; return True when no more can be taken now. Raises Refused (too_large), OSError."""
        rest = memoryview(chunk)
        while len(rest):
            block, into = divmod(self._at, _BLOCK_B)
            if not into:
                if not self._may_write():
                    return True
                self._partition.ioctl(_ERASE, block)
            piece = rest[: min(_BLOCK_B - into, _CHUNK_B)]
            self._write(block, into, piece)
            rest = rest[len(piece) :]
        return False

    def _write(self, block, into, piece):
        at = self._at + len(piece)
        if at > self._size:
            raise Refused("too_large")
        there = self._room[: len(piece)]
        self._partition.writeblocks(block, piece, into)
        self._partition.readblocks(block, there, into)
        if there != piece:
            raise OSError(_EIO)
        self._at = at
        if at % _BLOCK_B == 0 or at == self._size:
            self._state["done"] = at


def hashing(state, size, digest):
    """Read the whole image back, a generator with short steps. Raises Refused (mixed_files) when it is another one."""
    partition = Partition(state["image"])
    total = hashlib.sha256(b"")
    room = memoryview(bytearray(_CHUNK_B))
    for at in range(0, size, _CHUNK_B):
        piece = room[: min(_CHUNK_B, size - at)]
        partition.readblocks(at // _BLOCK_B, piece, at % _BLOCK_B)
        total.update(piece)
        yield
    if total.digest() != digest:
        raise Refused("mixed_files")


async def switch(round):
    """Restart into the image, when no welder is powered and none can be, and the running one has proved itself.

    Returns the seconds until the next look. round: `upgrade.Round`.
    """
    if not round.herald._is_proved or not await round.leave():
        return _WAIT_S
    round.state["phase"] = "trial"
    slots.save_state(round.state)
    try:
        Partition(round.state["image"]).set_boot()
    except OSError as error:
        if error.args[0] == _NOT_VALID:
            return round.finish("refused", "bad_format")
        return round.finish("failed", "flash")
    return round.restart()


def try_out(round):
    """Count what the image has served, and mark it valid when that is enough; or find that it came back. Returns as switch()."""
    state = round.state
    if Partition(Partition.RUNNING).info()[4] != state["image"]:
        return _come_back(round)
    is_online = round.herald.link.cause is None
    if not state.get("is_told") or is_online and state["returns"]:
        if not state.get("is_told"):
            round.tell_all("trial")
        state["is_told"] = True
        state["returns"] = 0
        slots.save_state(state)
    if not round.has_served():
        return _WAIT_S
    Partition.mark_app_valid_cancel_rollback()
    try:
        os.rename(NEXT, _CONFIRMED)
    except OSError:
        pass  # the power went between this and the end
    return round.prove()


def _come_back(round):
    """The image before runs again: try once more, or leave it at that."""
    state = round.state
    state["returns"] += 1
    intent = round.parts.store.intent
    # "upgrade" is the intent of the switch itself: the image did not get as far as to read it
    if machine.reset_cause() != machine.PWRON_RESET and (intent in (None, "upgrade") or intent.startswith("vital")):
        state["crashes"] += 1
    if state["crashes"] >= _CRASHES or state["returns"] >= _RETURNS:
        return round.finish("rolled_back")
    state["phase"] = "ready"
    slots.save_state(state)
    return _NEXT_S
