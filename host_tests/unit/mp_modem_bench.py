"""A modem under test wired to a scripted one, for the cases in mp_modem.py and mp_sockets.py."""

from mp_fakes import FakeUart, Peer, asyncio  # isort: skip  (first, for virtual time)

from modem.at import ModemError
from modem.modem import Modem
from modem.simcom import Simcom

OK = b"\r\nOK\r\n"
NO_DATA = b"\r\n+IP ERROR: No data\r\n\r\nERROR\r\n"
_CASES = {}


def case(function):
    """Mark an async function as a case."""
    _CASES[function.__name__] = function
    return function


def cases_of():
    """Return the marked functions."""
    return _CASES


def answer(text):
    """Frame an answer and its OK as the modem does."""
    return b"\r\n" + text + b"\r\n" + OK


def healthy():
    """Answers of a modem that has everything it needs."""
    return {
        b"AT": OK,
        b"ATE0": OK,
        b"AT+CMEE=1": OK,
        b"AT+CTZU=1": OK,
        b"AT+CEREG=1": OK,
        b"AT+CIPRXGET=1": OK,
        b"AT+CIPTIMEOUT=*": OK,
        b"AT+CGSN": answer(b"860000000000017"),
        b"AT+CGMM": answer(b"A7670C"),
        b"AT+CPIN?": answer(b"+CPIN: READY"),
        b"AT+CICCID": answer(b"+ICCID: 898604A1192490075609"),
        b"AT+CIMI": answer(b"460001234567890"),
        b"AT+CSQ": answer(b"+CSQ: 20,99"),
        b"AT+CESQ": answer(b"+CESQ: 99,99,255,255,20,51"),
        b"AT+CEREG?": answer(b"+CEREG: 1,1"),
        b"AT+COPS?": answer(b'+COPS: 0,2,"46000",7'),
        b"AT+CGDCONT=*": OK,
        b"AT+NETOPEN": OK + b"\r\n+NETOPEN: 0\r\n",
        b"AT+NETOPEN?": answer(b"+NETOPEN: 1"),
        b"AT+NETCLOSE": OK + b"\r\n+NETCLOSE: 0\r\n",
        b"AT+CFUN=1,1": OK,
        b"AT+CIPOPEN=*": lambda line: OK + b"\r\n+CIPOPEN: " + line[11:12] + b",0\r\n",
        b"AT+CIPCLOSE=*": lambda line: OK + b"\r\n+CIPCLOSE: " + line[12:13] + b",0\r\n",
        b"AT+CIPRXGET=2,*": NO_DATA,
    }


class Power:
    """The power key and the reset pin; notes every edge and tells on_edge(pin, on)."""

    def __init__(self):
        self.edges = []
        self.on_edge = None

    def key(self, on):
        self._note("key", on)

    def reset(self, on):
        self._note("reset", on)

    def _note(self, pin, on):
        self.edges.append((pin, on))
        if self.on_edge:
            self.on_edge(pin, on)


class Bench:
    """A modem under test with its scripted peer."""

    def __init__(self, settings=None, power=None, dialect=Simcom):
        self.uart = FakeUart()
        self.peer = Peer(self.uart, healthy())
        self.peer.answers[b"AT+CIPSEND=*"] = self.take_send
        self.modem = Modem(self.uart, dialect and dialect(), settings or {}, power)
        self.task = None
        self.stored = {}  # link -> bytes the network sent and nobody read yet
        self.asked = []  # bytes asked for by each read

    def take_send(self, line):
        """Prompt, and confirm the whole payload."""
        fields = line[11:].split(b",")
        count = int(fields[1])
        return self.peer.prompt_for(line, count, OK + b"\r\n+CIPSEND: %s,%d,%d\r\n" % (fields[0], count, count))

    def take_read(self, line):
        """Give what is stored, at most what is asked for."""
        link, wanted = [int(field) for field in line.split(b",")[1:]]
        self.asked.append(wanted)
        data = self.stored.get(link, b"")
        if not data:
            return NO_DATA
        part, self.stored[link] = data[:wanted], data[wanted:]
        header = b"\r\n+CIPRXGET: 2,%d,%d,%d\r\n" % (link, len(part), len(data) - len(part))
        return header + part + OK

    def deliver(self, data, link=0, tell=True):
        """The network brings bytes for a link."""
        self.peer.answers[b"AT+CIPRXGET=2,*"] = self.take_read
        self.stored[link] = self.stored.get(link, b"") + data
        if tell:
            self.peer.say(b"\r\n+CIPRXGET: 1,%d\r\n" % link)

    def wake(self):
        """The modem has booted."""
        self.peer.mute = False
        self.peer.say(b"\r\n*ATREADY: 1\r\n\r\n+CPIN: READY\r\n")

    def set_echo(self, on):
        """Switch the echo; returns the answer."""
        self.peer.echo = on
        return OK

    def apn(self):
        """Return the access point name last set."""
        return [line for line in self.peer.lines if line.startswith(b"AT+CGDCONT")][-1].split(b'"')[3]

    def run(self):
        """Start the modem's task."""
        self.task = asyncio.create_task(self.modem.run())

    async def start(self):
        """Start it and wait for the data call."""
        self.run()
        await asyncio.wait_for_ms(self.modem.up.wait(), 600000)
        return self.modem

    async def stop(self):
        """End the modem's task."""
        if self.task:
            self.task.cancel()
            try:
                await self.task
            except asyncio.CancelledError:
                pass

    async def __aenter__(self):
        await self.start()
        return self

    async def __aexit__(self, *_):
        await self.stop()


async def fails_with(code, awaitable):
    """Await, and expect a ModemError with this code."""
    try:
        await awaitable
    except ModemError as problem:
        assert problem.code == code, problem
        return
    raise AssertionError("no error")
