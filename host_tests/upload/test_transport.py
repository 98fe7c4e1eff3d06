"""How requests reach a server: through the proxy that the profile names, and no more of them a second than it allows."""

import asyncio

import pytest

from hanma.upload.sending import transport
from hanma.upload.site import Server


class _Proxy:
    """An HTTP proxy that answers for the server it is asked for; asked: the first line of each request."""

    def __init__(self):
        self.asked = []

    async def __call__(self, reader, writer):
        self.asked.append((await reader.readline()).decode().strip())
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
        await writer.drain()
        writer.close()


async def _through_a_proxy(make_server):
    proxy = _Proxy()
    async with await asyncio.start_server(proxy, "127.0.0.1", 0) as listening:
        road = transport.Transport(make_server(f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"))
        try:
            reply = await road.get("/api/x")
        finally:
            await road.close()
    return reply.status, proxy.asked


@pytest.fixture(autouse=True)
def _no_proxy_of_the_tests_own(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def test_a_request_goes_through_the_proxy_the_profile_names():
    asked = asyncio.run(_through_a_proxy(lambda proxy: Server(url="http://authority.example", proxy=proxy)))
    assert asked == (200, ["GET http://authority.example/api/x HTTP/1.1"])


def test_a_request_goes_through_the_proxy_of_the_environment_where_the_profile_names_none(monkeypatch):
    def server(proxy):
        monkeypatch.setenv("http_proxy", proxy)
        return Server(url="http://authority.example")

    assert asyncio.run(_through_a_proxy(server)) == (200, ["GET http://authority.example/api/x HTTP/1.1"])


def test_an_address_the_environment_excepts_gets_no_proxy(monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "authority.example")
    assert transport._proxy(Server(url="http://authority.example")) is None


def test_turns_are_taken_evenly_at_the_rate_and_unused_ones_are_not_saved_up(monkeypatch):
    now_s = [100.0]
    monkeypatch.setattr(transport.time, "monotonic", lambda: now_s[0])
    pace = transport.Pace(4)
    assert [pace.turn_s() for _ in range(4)] == [0.0, 0.25, 0.5, 0.75]
    now_s[0] = 200.0
    assert [pace.turn_s() for _ in range(2)] == [0.0, 0.25]
