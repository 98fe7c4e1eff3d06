"""A real worker process that dies where a test says.

`python -m host_tests.upload.dying_worker URL PORT DIRECTORY [--at WHERE --after N]`

WHERE: `commit` (the N-th transaction is on the disk, nobody knows yet), `sending` (the N-th request is about to go), `answered`
(the N-th answer was heard, not written down). It kills itself with SIGKILL: nothing is cleaned up. The product knows
nothing of it: its parts are wrapped here. At its end it prints the run's summary as JSON.
"""

import argparse
import asyncio
import dataclasses
import json
import os
import pathlib
import signal

from hanma.upload import outbox
from hanma.upload.outbox import writer
from hanma.upload.privacy import Vault
from hanma.upload.sending import worker
from hanma.upload.sending.shantou import Shantou
from hanma.upload.sending.transport import Transport
from host_tests.upload import sending_world as world


class Death:
    """Comes at the N-th call of one place."""

    def __init__(self, where, after):
        self._where, self._left = where, after

    def at(self, where):
        if where == self._where:
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)


def dying_writer(death):
    """The outbox's writer, but that death may come after a commit."""

    class Dying(writer.Writer):
        def _transact(self, connection, steps):
            done = super()._transact(connection, steps)
            death.at("commit")
            return done

    return Dying


class DyingTransport(Transport):
    """The transport, but that death may come before a record's request and after its answer."""

    death = None

    async def post(self, path, content):
        about_data = isinstance(content, bytes) and "token" not in path.rsplit("/", 1)[0]
        if about_data:
            self.death.at("sending")
        reply = await super().post(path, content)
        if about_data:
            self.death.at("answered")
        return reply


async def work(arguments, store):
    site = world.site_for(arguments.port, arguments.directory, server={"concurrency": 4, "answer_s": 5})
    transport = DyingTransport(site.server)
    transport.death = arguments.death
    try:
        return await worker.run(site, store, Shantou(site, transport, world.SHANTOU), once=True)
    finally:
        await transport.close()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("port", type=int)
    parser.add_argument("directory", type=pathlib.Path)
    parser.add_argument("--at", default="")
    parser.add_argument("--after", type=int, default=0)
    parser.add_argument("--later-ms", type=int, default=0, help="how far this process's clock is ahead: leases have run out")
    arguments = parser.parse_args()
    death = Death(arguments.at, arguments.after)
    more = {"clock": lambda: outbox.now_ms() + arguments.later_ms, "table_of": world.table_of}
    with outbox.open(arguments.url, Vault(b"k" * 32), site="site", **more) as store:
        store._writer.__class__ = dying_writer(death)
        arguments.death = death
        print(json.dumps(dataclasses.asdict(asyncio.run(work(arguments, store)))))


if __name__ == "__main__":
    main()
