"""A watched folder: files put into 待传 are checked and their sound rows sent; what is faulty comes back in 有错.

State: the three folders, nothing else. A file is taken when its size and time have stood still between two looks, so a
copy that still runs is left alone. It is moved to 已传 after its rows are in the outbox: killed in between, it is taken
again, and the same rows again are nothing. One that another program has open can't be moved on Windows: it is once that is closed.
"""

import asyncio
import contextlib
import os
import time
from datetime import datetime
from pathlib import Path

from . import marking
from .sending import worker

TO_SEND, FAULTY, DONE = "待传", "有错", "已传"
_SUFFIXES = (".csv", ".xlsx", ".xlsm", ".jsonl", ".json", ".txt", ".xls")
_LOOK_S = 2.0


class Folder:
    """A watched folder. Its three folders are made when they are not there."""

    def __init__(self, path):
        self._path = Path(path)
        for name in (TO_SEND, FAULTY, DONE):
            (self._path / name).mkdir(parents=True, exist_ok=True)
        self._seen, self._taken = {}, {}

    def ready(self):
        """Return the files that stood still since the last look and can be read, oldest first; file away what was held."""
        found = {}
        for path in (self._path / TO_SEND).iterdir():
            if path.is_file() and path.suffix.lower() in _SUFFIXES and not path.name.startswith(("~$", ".")):
                state = path.stat()
                found[path] = (state.st_size, state.st_mtime_ns)
        self._taken = {path: (state, to) for path, (state, to) in self._taken.items() if found.get(path) == state}
        for path, (_, to) in list(self._taken.items()):
            self._file_away(path, to)
        before, self._seen = self._seen, {path: state for path, state in found.items() if _readable(path)}
        still = [path for path, state in self._seen.items() if before.get(path) == state and path not in self._taken]
        return sorted(still, key=lambda path: found[path][1])

    def take(self, path, desk, lang):
        """Put a file's sound rows into the outbox, file it away, and return its Result."""
        result = desk.add([path])
        name = f"{datetime.now():%Y%m%d-%H%M%S}_{path.name}"
        if result.faulty and result.errors:
            marked = self._path / FAULTY / (Path(name).stem + ".xlsx")
            marking.mark(marked, [row for row, _ in result.faulty], [record for _, record in result.faulty], lang)
        unread = any(one.grave for one in result.problems)
        if unread:
            self._tell(name, result, lang)
        self._taken[path] = self._seen.get(path), self._path / (FAULTY if unread else DONE) / name
        self._file_away(path, self._taken[path][1])
        return result

    def _file_away(self, path, to):
        with contextlib.suppress(PermissionError):
            os.replace(path, to)
            del self._taken[path]

    def _tell(self, name, result, lang):
        """Write beside a file that could not be read why, and what to do."""
        lines = [f"{one.text(lang)}。{one.remedy(lang)}" for one in result.problems]
        (self._path / FAULTY / f"{name}.txt").write_text("\n".join(lines) + "\n", "utf-8")

    def run(self, desk, lang, *, once=False, on_file=lambda path, result: None):
        """Take files as they come and send, until Ctrl-C; once: what lies there now. Returns the worker's Summary."""

        def sweep():
            for path in self.ready():
                on_file(path, self.take(path, desk, lang))

        if once:
            self.ready()
            time.sleep(_LOOK_S / 10)
            sweep()
            return desk.send()

        async def both(stop):
            road, client = desk.client()
            looking = asyncio.create_task(self._look(sweep, stop))
            try:
                return await worker.run(desk.site, desk.store, client, stop=stop)
            finally:
                stop.set()
                await looking
                await road.close()

        return worker.run_until_interrupted(both)

    async def _look(self, sweep, stop):
        while not stop.is_set():
            await asyncio.to_thread(sweep)
            try:
                await asyncio.wait_for(stop.wait(), _LOOK_S)
            except asyncio.TimeoutError:
                continue


def _readable(path):
    """Return False while another program has the file for itself, or where it is gone."""
    try:
        path.open("rb").close()
    except OSError:
        return False
    return True
