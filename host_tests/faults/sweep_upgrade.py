"""The whole upgrade, from the order to the confirmation: cut at every write, cut at every range, and under every attack.

For MicroPython; on a real LittleFS, with the terminal's own boot.py (see `upgrade_board`). What runs is the old release or the new
one, whole, at every boot; once the fault has ended the upgrade comes to its end. An attack leaves the
old one, and its reason is told.
"""

import gc

from host_tests.faults import upgrade_board
from host_tests.faults.flash import TEARS
from host_tests.faults.release_trees import STALE, TREES
from host_tests.faults.upgrade_board import Board, Clock
from host_tests.faults.upgrade_server import CLOSED, GONE, Server

_CONFIG = b'{"trial_s": 60}'
_PIECE_B = 3000  # of an answer in the sweep of power cuts: a range is longer than these releases
_RANGE_B = 32768
_LARGE_BLOCKS = 160
_LIVES = 4  # power-ons that an upgrade may take after a cut

# From what to what: (what runs, what comes, its bundle, what is there at the end, the order's last word)
_UPGRADES = {
    "full": ("old", "new", "full", "new", "confirmed"),
    "difference": ("new", "next", "difference", "next", "confirmed"),
    "roll-back": ("old", "crashing", "crashing", "old", "rolled_back"),
}
# Places of a cut: bytes of the answer before it, None before there is a connection.
_PLACES = (None, 0, 40, 110, 1200, 5000, 20000, 32800)

# (name, what runs, bundle, the order's last word, its reason or None, more): more: see _attacked().
_ATTACKS = (
    ("wrong signature", "old", "signature", "refused", "wrong_signature", {}),
    ("changed manifest", "old", "manifest", "refused", "wrong_signature", {}),
    ("loose padding", "old", "padding", "refused", "wrong_signature", {}),
    ("unknown key", "old", "unknown_key", "refused", "unknown_key", {}),
    ("changed key name", "old", "key_name", "refused", "unknown_key", {}),
    ("retired key", "old", "full", "refused", "unknown_key", {"is_retired": True}),
    ("wrong board", "old", "other_board", "refused", "wrong_board", {}),
    ("wrong MicroPython", "old", "other_micropython", "refused", "wrong_micropython", {}),
    ("roll-back to an older release", "new", "older", "refused", "older", {}),
    ("roll-back, the running one's beginning damaged", "new", "older", "refused", "older", {"is_damaged": True}),
    ("the same release again", "new", "full", "refused", "older", {}),
    ("freeze: expired", "old", "expired", "refused", "expired", {}),
    ("freeze: never a newer one", "new", "full", None, None, {"by": "hour"}),
    ("follows a later one", "old", "follows", "refused", "base_mismatch", {}),
    ("base of another tree", "new", "other_base", "refused", "base_mismatch", {}),
    ("base of another version", "new", "other_version", "refused", "base_mismatch", {}),
    ("base on a device that has none", "old", "difference", "refused", "base_mismatch", {}),
    ("too large for the flash", "old", "vast", "refused", "too_large", {}),
    ("more behind the end", "old", "full", "refused", "too_large", {"manner": "longer"}),
    ("mix and match: files of another release", "old", "mixed", "refused", "mixed_files", {}),
    ("mix and match: another release midway", "new", "difference", "refused", "mixed_files", {"then": "crashing", "piece_b": 1800}),
    ("one changed byte", "old", "one_byte", "refused", "mixed_files", {}),
    ("truncated", "old", "full", "refused", "truncated", {"manner": "truncated"}),
    ("truncated, the size a lie", "old", "full", "failed", "unreachable", {"manner": "cut short"}),
    ("truncated in the head", "old", "head", "refused", "truncated", {}),
    ("nothing", "old", "nothing", "failed", "unreachable", {}),
    ("rubbish", "old", "rubbish", "refused", "bad_format", {}),
    ("endless rubbish", "old", "full", "refused", "bad_format", {"manner": "endless rubbish"}),
    ("endless head", "old", "full", "failed", "unreachable", {"manner": "endless head"}),
    ("slow data", "old", "full", "failed", "unreachable", {"manner": "slow"}),
    ("redirect", "old", "full", "failed", "unreachable", {"manner": "redirect"}),
    ("another range", "old", "full", "failed", "unreachable", {"manner": "other range"}),
    ("a file outside the slot", "old", "outside", "refused", "bad_format", {}),
    ("boot.py", "old", "boot", "refused", "bad_format", {}),
)
# The right bytes, and more of them than were asked for: no more is taken, and the release may come.
_GLUTS = ("endless", "beyond its range")


class World:
    """The bundles, and the flashes that an upgrade begins with."""

    def __init__(self, directory):
        self._directory = directory
        self._images = {}

    def bundle(self, name):
        """Return a bundle's bytes."""
        with open(self._directory + "/" + name, "rb") as file:
            return file.read()

    def image(self, runs, blocks=upgrade_board.BLOCKS, is_damaged=False):
        """Return the image of a flash on which this release runs: "old" by cable, "new" in slot a, its beginning damaged or not."""
        if (runs, blocks, is_damaged) not in self._images:
            files = {"release.keys": self.bundle("release.keys"), "config.json": _CONFIG, "ca.pem": b"-"}
            files.update(TREES["old"])
            files.update({("b/" if runs == "new" else "a/") + name: STALE[name] for name in STALE})
            if runs == "new":
                full = self.bundle("full")
                files.update({"a/" + name: TREES["new"][name] for name in TREES["new"]})
                beginning = full[: len(full) - sum([len(data) for data in TREES["new"].values()])]
                if is_damaged:
                    beginning = beginning[:-20] + bytes(20)
                files.update({"slot": b"a", "a/bundle": beginning, "upgrade.json": b'{"numbers": {"a": 7}}'})
            self._images[runs, blocks, is_damaged] = upgrade_board.image_of(files, blocks)
        return self._images[runs, blocks, is_damaged]

    def board(self, runs, comes, content, blocks=upgrade_board.BLOCKS, values=None, is_damaged=False, **manner):
        """Return a board on which one release runs, and another one is to be had."""
        clock = Clock()
        server = Server(clock, content, **manner)
        allowed = (runs, comes) if comes else (runs,)
        return Board(self.image(runs, blocks, is_damaged), values or {}, TREES, allowed, server, clock)


def sweep(tally, options):
    """Run what the options name. kind: power, network or attacks; cases: of these, None for all."""
    gc.collect()
    world = World(options["directory"])
    {"power": _power, "network": _network, "attacks": _attacks}[options["kind"]](world, tally, options)


def _take(tally, name, where, board):
    for finding, text in board.findings:
        tally.find(name, where, finding, text)


def _settled(board, wanted, word):
    """Power on until the order has come to its end; note what is not as it should be then."""
    for _ in range(_LIVES):
        board.power_on_again()
        if board.live():
            break
    else:
        board.find("stuck", "the upgrade does not come to its end")
        return
    board.power_on_again()
    board.live()
    if not board.ran or board.ran[-1] != wanted:
        board.find("stuck", "%r runs at the end, not %r" % (board.ran[-1:], wanted))
    if "ota_token" in board.values:
        board.find("kept_secret", "the order is over and its token still in NVS")
    end = board.has_ended()
    if not end or end["state"] != word:
        board.find("unreported", "the platform heard %r, not %r" % (end, word))


# ---- the power


def _power(world, tally, options):
    for name in options.get("cases") or _UPGRADES:
        _cut_everywhere(world, tally, name, options)


def _cut_everywhere(world, tally, name, options):
    """Cut at every so many-th write from the first on; tears: in how many of the ways a write can be torn, by turns."""
    tears = options.get("tears", len(TEARS))
    runs, comes, bundle, wanted, word = _UPGRADES[name]
    content = world.bundle(bundle)

    def made():
        return world.board(runs, comes, content, piece_b=_PIECE_B)

    board = made()
    before = board.kept()
    board.live()
    writes, uncut = board.flash.writes, board.kept()
    _settled(board, wanted, word)
    _take(tally, name, "uncut", board)
    for number, write in enumerate(range(options.get("first", 1), writes + 1, options.get("stride", 1))):
        for turn in range(number, number + tears):
            tear = TEARS[turn % len(TEARS)]
            board = made()
            board.flash.cut_at(write, tear, write)
            board.live()
            is_own = board.kept() not in (before, uncut)
            tally.cut(is_own)
            tally.count("upgrade_cuts", is_own)
            _settled(board, wanted, word)
            _take(tally, name, "cut at write %d, %s" % (write, tear), board)


# ---- the network


def _network(world, tally, options):
    content = world.bundle("large")
    uncut = _fetched(world, tally, content, "uncut", {})
    cuts = [(number, place, manner) for number in range(1, uncut.asked + 1) for place in _PLACES for manner in (CLOSED, GONE)]
    for cut in cuts[:: options.get("stride", 1)]:
        where = "range %d cut after %s B, %s" % cut
        server = _fetched(world, tally, content, where, {"cut": cut})
        tally.count("upgrade_network_cuts", server.was_cut)
        again_b = server.sent_b - uncut.sent_b
        if again_b > _RANGE_B:
            tally.find("network", where, "twice", "%d B came twice" % again_b)
    for piece_b in (4000, 9999, 30000):
        server = _fetched(world, tally, content, "every range cut after %d B" % piece_b, {"piece_b": piece_b})
        tally.count("upgrade_network_cuts", server.asked - 1)


def _fetched(world, tally, content, where, manner):
    """Upgrade over a network of that manner, to the end; returns the server."""
    board = world.board("old", "large", content, _LARGE_BLOCKS, **manner)
    if not board.live():
        board.find("stuck", "the upgrade does not come to its end")
    _settled(board, "large", "confirmed")
    _take(tally, "network", where, board)
    return board.server


# ---- attacks


def _attacks(world, tally, options):
    cases = options.get("cases")
    for name, runs, bundle, word, reason, more in _ATTACKS:
        if not cases or name in cases:
            tally.count("upgrade_attacks", 1)
            _attacked(world, tally, name, runs, bundle, (word, reason), more)
    for manner in _GLUTS:
        if not cases or manner in cases:
            tally.count("upgrade_attacks", 1)
            _glutted(world, tally, manner)


def _attacked(world, tally, name, runs, bundle, wanted, more):
    """What was there runs after it, the reason is told, and an honest release comes through afterwards.

    more: is_retired: the key counts no longer; is_damaged: as World.image(); by: who ordered; then: what the address has later;
    else as `Server`.
    """
    more = dict(more)
    by = more.pop("by", "order")
    content = world.bundle(bundle)
    values = {"retired": content[8:16]} if more.pop("is_retired", False) else {}
    if "then" in more:
        more["then"] = world.bundle(more["then"])
    board = world.board(runs, None, content, values=values, **more)
    if not board.live(by):
        board.find("stuck", "the order does not come to its end: %s" % board.told)
    end = board.has_ended() or {"state": None}
    if (end["state"], end.get("reason")) != wanted:
        board.find("unreported", "the platform heard %s, not %s" % (end, wanted))
    if board.server.greedy:
        board.find("greedy", "more bytes were taken than asked for")
    board.power_on_again()
    board.live(by)
    if board.ran[-1:] != [runs]:
        board.find("accepted", "%s runs afterwards" % board.ran[-1:])
    _recovers(world, board, runs)
    _take(tally, "attacks", name, board)


def _recovers(world, board, runs):
    """The attack is over; the platform orders an honest release."""
    _, comes, bundle, wanted, word = _UPGRADES["full" if runs == "old" else "difference"]
    board.told.clear()
    board.values.pop("retired", None)
    board.allowed = (runs, comes)
    board.server = Server(board.clock, world.bundle(bundle))
    _settled(board, wanted, word)


def _glutted(world, tally, manner):
    board = world.board("old", "new", world.bundle("full"), manner=manner)
    if not board.live():
        board.find("stuck", "the upgrade does not come to its end")
    if board.server.greedy:
        board.find("greedy", "more bytes were taken than asked for")
    _settled(board, "new", "confirmed")
    _take(tally, "attacks", manner, board)
