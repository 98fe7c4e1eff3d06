"""What a technician sees: a line for each step with its time, the self test's rows, and a verdict that can be read across a room.

State: the console, shared by the threads of several ports.
"""

import datetime
import threading

from rich.console import Console
from rich.markup import escape

from hanma.provision.words import WORDS, say

_MARKS = {"ok": "[green]✓[/green]", "fail": "[red]✗[/red]", "none": "[dim]–[/dim]"}
_CHINA = datetime.timezone(datetime.timedelta(hours=8))


def _kibibytes(count):
    return f"{count // 1024} KiB"


def _moment(unix_ms):
    return f"{datetime.datetime.fromtimestamp(unix_ms // 1000, _CHINA):%Y-%m-%d %H:%M}"


# part of the self test -> how a whole number of it is shown: dBm, bytes free, ms since 1970 as China's time
_NUMBERS = {"signal": "{} dBm".format, "flash": _kibibytes, "heap": _kibibytes, "clock": _moment}


class Screen:
    """lang: "zh" or "en". several: whether lines name their port."""

    def __init__(self, lang, several=False, console=None):
        self.lang, self.several = lang, several
        self._console = console or Console(highlight=False)
        self._turn = threading.Lock()

    def tell(self, port, kind, what, more):
        """Show what a Job or an acceptance tells."""
        show = {"step": self._step, "row": self._row, "note": self._note, "verdict": self._verdict, "result": self._result}
        lines = show[kind](what, more)
        ahead = f"[dim]{escape(str(port))}[/dim] " if self.several else ""
        with self._turn:
            for line in lines:
                self._console.print(ahead + line, soft_wrap=True)

    def note(self, code, **facts):
        """Show words that belong to no port."""
        with self._turn:
            self._console.print(f"[yellow]{escape(say(code, self.lang, **facts))}[/yellow]", soft_wrap=True)

    def _step(self, what, seconds):
        name, told = what
        return [f"{_MARKS['ok']} {say(name, self.lang)}  {escape(told)}  [dim]{seconds:.1f} s[/dim]"]

    def _result(self, what, seconds):
        step, verdict, detail, moment = what
        colour = "yellow" if verdict == "fail" else "default"
        told = f"[{colour}]{escape(detail)}[/{colour}]"
        return [f"[dim]{moment[11:19]}[/dim] {_MARKS[verdict]} {say(step, self.lang)}  {told}  [dim]{seconds:.1f} s[/dim]"]

    def _row(self, what, _):
        part, verdict, detail = what
        shown = self._spoken(part, detail)
        help_code = f"help_{part}"
        helps = f"  [yellow]{say(help_code, self.lang)}[/yellow]" if verdict == "fail" and help_code in WORDS else ""
        return [f"    {_MARKS[verdict]} {say(part, self.lang)}  {escape(shown)}{helps}"]

    def _spoken(self, part, detail):
        """Return what the self test found, in words where there are some."""
        if detail is None:
            return ""
        if f"{part} {detail}" in WORDS:
            return say(f"{part} {detail}", self.lang)
        if isinstance(detail, list):
            return " ".join(map(str, detail))
        return _NUMBERS.get(part, str)(detail) if type(detail) is int else str(detail)

    def _note(self, text, _):
        return [f"[bold yellow]{escape(text)}[/bold yellow]"]

    def _verdict(self, verdict, more):
        device_id, reason = more
        colour = "green" if verdict == "pass" else "red"
        reason = ", ".join(say(part, self.lang) if part in WORDS else part for part in reason.split("; ")) if reason else ""
        words = f"  {escape(reason)}" if reason else ""
        return [f"[bold white on {colour}] {say(verdict, self.lang)} [/bold white on {colour}] {escape(device_id or '')}{words}"]
