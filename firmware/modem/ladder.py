"""The recovery ladder: which rung to take after a failure, and when. Pure: facts and seconds in, a rung
out. Borrowed.

It climbs one rung a failure and no further than needed; a link that held starts it at the bottom again. The first
three reboots come one after the other; after them at once, then after 10 min, 30 min, 1 h and hourly (Quectel TCP/IP
application note, p. 12). No more than thirty power or radio cycles in any 24 h: each wears the modem's flash
(EC200U release notes). `now_s` are seconds that never go backwards.
"""

from micropython import const

SOCKETS = 0  # close the sockets
CALL = 1  # close the data call and open it again
RADIO = 2  # CFUN=1,1: the modem restarts itself
POWER = 3  # the power key: off, on
RESET = 4  # the reset pin

_CYCLES_MAX = const(30)
_DAY_S = const(86400)
_FREE_REBOOTS = const(4)  # three, and one more at once
_WAITS_S = (600, 1800, 3600)


def start():
    """Return the memory of a link that has never failed, or that has held: rung reached, reboots since, the last's s."""
    return [-1, 0, 0]


def climb(memory, cycles_s, now_s, lowest, rungs):
    """Choose the cure for a failure, and remember it.

    memory: see start(); cycles_s: list, when the cycles of the last 24 h were, thirty at most; lowest: the rung that
    can cure it at all; rungs: those that can be taken now (no key, no POWER; a deaf modem, no RADIO). Returns
    (rung, 0): taken, carry it out now; (None, seconds to wait before asking again), or (None, None) when there is
    nothing to take.
    """
    rung = _choose(max(lowest, memory[0] + 1), lowest, rungs)
    if rung is None:
        return None, None
    if rung >= RADIO:
        wait_s = _due_s(memory, cycles_s, now_s) - now_s
        if wait_s > 0:
            return None, wait_s
        memory[1] += 1
        memory[2] = now_s
        if len(cycles_s) == _CYCLES_MAX:
            cycles_s.pop(0)
        cycles_s.append(now_s)
    memory[0] = rung
    return rung, 0


def _choose(first, lowest, rungs):
    above = [rung for rung in rungs if rung >= first]
    again = [rung for rung in rungs if rung >= max(lowest, RADIO)]  # past the top: the reboots in turn
    return min(above) if above else min(again) if again else None


def _due_s(memory, cycles_s, now_s):
    due_s = now_s
    if memory[1] >= _FREE_REBOOTS:
        due_s = memory[2] + _WAITS_S[min(memory[1] - _FREE_REBOOTS, len(_WAITS_S) - 1)]
    if len(cycles_s) == _CYCLES_MAX:
        due_s = max(due_s, cycles_s[0] + _DAY_S)
    return due_s
