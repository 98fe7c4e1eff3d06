"""amqtt as a process of its own, with the options of `host_tests.sim.broker` that the harness uses."""

import argparse
import asyncio
import json

from hanma.bench.broker import EmbeddedBroker
from hanma.bench.certificates import ServerFiles


async def _serve(options):
    tls = ServerFiles(None, options.cert, options.key) if options.cert else None
    broker = EmbeddedBroker(port=options.port, tls=tls)
    await broker.start()
    print(json.dumps({"port": options.port}), flush=True)
    await asyncio.Event().wait()


def main():
    """Serve until ended."""
    parser = argparse.ArgumentParser(prog="python -m host_tests.system.amqtt_broker")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--cert")
    parser.add_argument("--key")
    parser.add_argument("--quiet", action="store_true")
    asyncio.run(_serve(parser.parse_args()))


if __name__ == "__main__":
    main()
