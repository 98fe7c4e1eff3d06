"""A Quectel modem's questions to the network beyond it: names (QIDNSGIP) and echoes (QPING). Pure."""

from host_tests.sim.air import DOWN, UP
from host_tests.sim.quectel_contexts import BAD_PARAMETER, NO_PDP
from host_tests.sim.text import number_in

_SET = 3
_NO_NAME, _TIMED_OUT = 565, 569
_TTL_S = 600
_PING_B, _PING_TTL = 32, 255
_PINGS, _PING_S = 4, 4


class Lookups:
    """Part of Qi, which has _core, links and contexts."""

    def qidnsgip(self, kind, arguments):
        """AT+QIDNSGIP=context,"host": OK, and the addresses as URCs."""
        if kind != _SET or len(arguments) < 2:
            return self.contexts.fail(BAD_PARAMETER)
        if number_in(arguments[0], 1, 7) not in self.contexts.active:
            return self.contexts.fail(NO_PDP)
        core, host = self._core, arguments[1]
        self.links.total.name(host)
        reached = self.links.alive and core.radio.has_bearer
        core.later(core.delay("dns" if reached else "dns_timeout"), self._resolved, host, reached)
        return None

    def _resolved(self, host, reached):
        address = self.links.resolve(host) if reached else None
        if address is None:
            self._core.urc('+QIURC: "dnsgip",%d' % (_NO_NAME if reached else _TIMED_OUT))
            return
        self._core.urc('+QIURC: "dnsgip",0,1,%d' % _TTL_S)
        self._core.urc('+QIURC: "dnsgip","%s"' % address)

    def qidnscfg(self, kind, arguments):
        """AT+QIDNSCFG: ERROR while there is no data call."""
        if kind != _SET or number_in(arguments[0], 1, 7) not in self.contexts.active:
            return self.contexts.fail(NO_PDP)
        return None

    def qping(self, kind, arguments):
        """AT+QPING=context,"host"[,timeout[,count]]: OK, and each echo as a URC, then their sum."""
        wait_s = number_in(arguments[2], 1, 255) if len(arguments) > 2 else _PING_S
        count = number_in(arguments[3], 1, 10) if len(arguments) > 3 else _PINGS
        if kind != _SET or len(arguments) < 2 or wait_s is None or count is None:
            return self.contexts.fail(BAD_PARAMETER)
        if number_in(arguments[0], 1, 7) not in self.contexts.active:
            return self.contexts.fail(NO_PDP)
        self._core.later(0, self._ping, arguments[1], wait_s, count, [])
        return None

    def _ping(self, host, wait_s, left, times_ms):
        core, address = self._core, self.links.resolve(host)
        if address is None:
            core.urc(self._ping_line("%d" % _NO_NAME))
        elif left == 0:
            core.urc(self._ping_line(_sum_of(times_ms)))
        elif self.links.alive and core.radio.has_bearer:
            took_ms = core.delay("ping")
            for direction in (UP, DOWN):
                self.links.total.udp(direction, _PING_B)
            text = '0,"%s",%d,%d,%d' % (address, _PING_B, took_ms, _PING_TTL)
            core.later(took_ms, self._pinged, text, (host, wait_s, left - 1, times_ms + [took_ms]))
        else:
            core.later(wait_s * 1000, self._pinged, "%d" % _TIMED_OUT, (host, wait_s, left - 1, times_ms + [None]))

    def _pinged(self, text, rest):
        self._core.urc(self._ping_line(text))
        self._ping(*rest)

    def _ping_line(self, text):
        return ("+QPING:" if "tight" in self._core.faults.active else "+QPING: ") + text


def _sum_of(times_ms):
    """Return what stands in the last line: sent, received, lost, shortest, longest, mean."""
    heard = [time_ms for time_ms in times_ms if time_ms is not None]
    sums = (min(heard), max(heard), sum(heard) // len(heard)) if heard else (0, 0, 0)
    return "0,%d,%d,%d,%d,%d,%d" % ((len(times_ms), len(heard), len(times_ms) - len(heard)) + sums)
