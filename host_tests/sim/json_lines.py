"""A server of JSON lines on the loopback: what the control channels of the simulator and of the virtual board share.

A request is {"cmd": name, …}, carried out by the method `cmd_<name>` with the other fields; the reply is {"ok": true, …what it
returned} or {"ok": false, "error": text}. State: the listening socket.
"""

import asyncio
import json


class JsonLines:
    """Derive from it and write `cmd_…` methods that return a dict or None."""

    def __init__(self):
        self._server = None

    async def start(self, port):
        """Listen on the loopback; returns (host, port)."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", port)
        return self._server.sockets[0].getsockname()[:2]

    def close(self):
        """Stop listening."""
        self._server.close()

    async def _serve(self, reader, writer):
        try:
            while line := await reader.readline():
                request, reply = self._answer(line)
                writer.write(json.dumps(reply).encode() + b"\n")
                await writer.drain()
                if reply["ok"] and await self._after(request, reader, writer):
                    return
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    def _answer(self, line):
        try:
            request = json.loads(line)
            name = request["cmd"]
            command = getattr(self, "cmd_" + name, None)
            if command is None:
                raise ValueError("no command %r; try help" % name)
            fields = {key: value for key, value in request.items() if key != "cmd"}
            return request, {"ok": True, **(command(**fields) or {})}
        except (ValueError, TypeError, KeyError, AttributeError, OSError, RuntimeError) as error:
            return {}, {"ok": False, "error": "%s: %s" % (type(error).__name__, error)}

    async def _after(self, request, reader, writer):
        """Take over the connection after this request; return True when it is served to its end."""
        return False
