"""Sending to Jiangsu over TLS with a pinned certificate, to a small strict authority in this process; and the transport's TLS."""

import asyncio
import contextlib
import datetime
import ipaddress
import ssl

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from hanma.upload import outbox
from hanma.upload.privacy import Vault
from hanma.upload.sending import worker
from hanma.upload.sending.jiangsu import Jiangsu
from hanma.upload.sending.transport import NotSent, Transport
from hanma.upload.site import SiteError
from host_tests.upload import sending_world as world


class Certificate:
    """A self-signed certificate for an address or a name."""

    def __init__(self, directory, name="localhost", address="127.0.0.1"):
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        now = datetime.datetime.now(datetime.timezone.utc)
        names = [x509.DNSName(name), x509.IPAddress(ipaddress.ip_address(address))]
        built = x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        built = built.not_valid_before(now - datetime.timedelta(days=1)).not_valid_after(now + datetime.timedelta(days=1))
        signed = built.add_extension(x509.SubjectAlternativeName(names), critical=False).sign(key, hashes.SHA256())
        self.fingerprint = signed.fingerprint(hashes.SHA256()).hex(":")
        self.path = directory / "server.pem"
        pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
        key_text = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain)
        self.path.write_bytes(key_text + signed.public_bytes(pem))

    def context(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.path)
        return context


class Desk:
    """A site, its outbox and its authority behind TLS."""

    def __init__(self, authority, site, store, client):
        self.authority, self.site, self.store, self.client = authority, site, store, client

    def put(self, *identities, **more):
        return [self.store.put(world.hazard(one, **more)).id for one in identities]

    def states(self):
        return {line.label.split()[-1]: line.state for line in self.store.find()}

    async def drain(self):
        return await worker.run(self.site, self.store, self.client, once=True)


@contextlib.asynccontextmanager
async def open_desk(directory, **settings):
    certificate = Certificate(directory)
    authority = await world.Authority().start(certificate.context())
    server = {"fingerprint": certificate.fingerprint, "concurrency": 1}
    site = world.site_for(authority.port, directory, "jiangsu", "https", server=server, settings=settings)
    store = outbox.open(f"sqlite:///{directory / 'outbox.db'}", Vault(b"k" * 32), site="site", table_of=world.table_of)
    transport = Transport(site.server)
    try:
        yield Desk(authority, site, store, Jiangsu(site, transport, world.JIANGSU))
    finally:
        await transport.close()
        store.close()
        await authority.close()


def in_a_desk(scenario, directory, **settings):
    async def play():
        async with open_desk(directory, **settings) as desk:
            return await scenario(desk)

    return asyncio.run(play())


def numbers(batches):
    return [int(number[8:]) for number, *_ in batches]


def test_rows_of_a_table_go_out_as_one_batch_of_the_stated_form(tmp_path):
    async def scenario(desk):
        desk.put("a", "b", "c")
        assert (await desk.drain()).accepted == 3
        [(number, operation, ids)] = desk.authority.batches
        assert (len(number), number[8:], operation, ids) == (16, "00000001", "I", ["a", "b", "c"])
        assert desk.authority.ledger == [("09", "a"), ("09", "b"), ("09", "c")]
        assert desk.authority.token_requests == [{"appid": world.APPID, "secret": world.SECRET}]

    in_a_desk(scenario, tmp_path)


def test_batches_are_no_longer_than_the_setting_says(tmp_path):
    async def scenario(desk):
        desk.put(*"abcde")
        await desk.drain()
        assert [len(ids) for *_, ids in desk.authority.batches] == [2, 2, 1]
        assert numbers(desk.authority.batches) == [1, 2, 3]

    in_a_desk(scenario, tmp_path, batch_rows=2)


@pytest.mark.parametrize("rows", [2, 7])
def test_a_refused_batch_is_split_until_the_row_at_fault_is_found(tmp_path, rows):
    async def scenario(desk):
        desk.put(*(f"r{number}" for number in range(rows)))
        desk.authority.bad_rows = {"r1"}
        summary = await desk.drain()
        assert (summary.accepted, summary.refused) == (rows - 1, 1)
        states = desk.states()
        assert states.pop("r1") == "refused"
        assert set(states.values()) == {"accepted"}
        assert len(desk.authority.ledger) == rows - 1
        assert len(set(numbers(desk.authority.batches))) == len(desk.authority.batches)

    in_a_desk(scenario, tmp_path)


@pytest.mark.parametrize("fault", ["cut-before", "cut-after"])
def test_a_batch_whose_answer_was_lost_is_sent_again_under_its_number(tmp_path, fault):
    async def scenario(desk):
        desk.authority.faults["*"] = [fault]
        desk.put("a", "b")
        summary = await desk.drain()
        assert (summary.accepted, summary.resent) == (2, 2)
        assert desk.authority.batches[0] == desk.authority.batches[1]
        assert desk.store.counts()["possible_duplicates"] == 2

    in_a_desk(scenario, tmp_path)


def test_what_was_accepted_before_is_a_change_and_what_is_gone_a_deletion(tmp_path):
    async def scenario(desk):
        desk.put("a", "b")
        await desk.drain()
        desk.store.confirm(desk.put("a", name="x")[0])
        desk.store.confirm(desk.store.put(world.hazard("b"), deletion=True).id)
        await desk.drain()
        assert sorted((operation, ids) for _, operation, ids in desk.authority.batches[1:]) == [("D", ["b"]), ("U", ["a"])]

    in_a_desk(scenario, tmp_path)


def test_a_token_that_has_ended_is_asked_for_again_once(tmp_path):
    async def scenario(desk):
        desk.authority.faults["*"] = ["token"]
        desk.put("a")
        assert (await desk.drain()).accepted == 1
        assert desk.authority.tokens == 2

    in_a_desk(scenario, tmp_path)


def test_an_old_token_is_renewed_before_a_refusal_is_believed(tmp_path):
    async def scenario(desk):
        desk.authority.bad_rows = {"a"}
        desk.put("a")
        await desk.client.token()
        desk.client._since_s -= 3600
        assert (await desk.drain()).refused == 1
        assert desk.authority.tokens == 2
        assert numbers(desk.authority.batches) == [1, 1]

    in_a_desk(scenario, tmp_path)


def test_a_token_whose_life_the_site_states_is_renewed_in_time_and_as_the_site_says(tmp_path):
    async def scenario(desk):
        await desk.client.token()
        await desk.client.token()
        assert desk.authority.tokens == 1
        desk.client._until_s -= 60  # its time has come
        await desk.client.token()
        assert desk.authority.tokens == 2

    in_a_desk(scenario, tmp_path, token_life_s=60, token_method="POST")


def test_wrong_credentials_stop_the_run(tmp_path):
    async def scenario(desk):
        desk.client._appid = "another"
        desk.put("a")
        summary = await desk.drain()
        assert "appid 错误" in summary.stopped
        assert desk.states() == {"a": "queued"}

    in_a_desk(scenario, tmp_path)


def test_the_key_of_the_data_code_can_be_set(tmp_path):
    async def scenario(desk):
        desk.put("a")
        summary = await desk.drain()
        assert summary.refused == 1  # this authority knows txcode only

    in_a_desk(scenario, tmp_path, txcode_key="txCode")


# TLS


def post_once(directory, **server):
    """Post one record's bytes to an authority behind a fresh certificate; return what the authority got."""

    async def play():
        certificate = Certificate(directory)
        authority = await world.Authority().start(certificate.context())
        given = {"url": f"https://127.0.0.1:{authority.port}", "answer_s": 2, "connect_s": 2}
        given |= {"fingerprint": certificate.fingerprint} | server
        given = {name: str(certificate.path) if one == "ITS OWN" else one for name, one in given.items()}
        transport = Transport(world.Server(**given))
        try:
            await transport.post("/api/openapi/getaccesstoken", b'{"access_id": "a", "access_secret": "b"}')
        finally:
            await transport.close()
            await authority.close()
        return authority.token_requests

    return asyncio.run(play())


def test_the_pinned_certificate_is_trusted_without_any_authority(tmp_path):
    assert post_once(tmp_path) == ["application/json"]


def test_another_certificate_than_the_pinned_one_gets_no_request(tmp_path):
    seen = []

    async def play():
        certificate = Certificate(tmp_path)

        async def answer(reader, writer):
            with contextlib.suppress(ConnectionError, ssl.SSLError):
                seen.append(await reader.read(10))
            writer.close()

        server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=certificate.context())
        port = server.sockets[0].getsockname()[1]
        transport = Transport(world.Server(url=f"https://127.0.0.1:{port}", fingerprint="ab" * 32, connect_s=2, answer_s=2))
        with pytest.raises(NotSent, match="another one"):
            await transport.post("/x", b"a body")
        await transport.close()
        server.close()

    asyncio.run(play())
    assert not any(seen)


def test_a_certificate_of_the_named_ca_file_is_trusted(tmp_path):
    assert post_once(tmp_path, fingerprint="", ca_file="ITS OWN") == ["application/json"]


def test_a_certificate_nobody_vouches_for_is_refused_before_anything_is_sent(tmp_path):
    with pytest.raises(NotSent, match="CERTIFICATE_VERIFY_FAILED"):
        post_once(tmp_path, fingerprint="")


@pytest.mark.parametrize(
    ("server", "told"),
    [
        ({"url": "http://jiangsu.example"}, "https"),
        ({"url": "https://10.0.0.1:8443"}, "fingerprint"),
        ({"url": "ftp://jiangsu.example"}, "url"),
    ],
)
def test_an_address_jiangsu_may_not_have_is_refused(tmp_path, server, told):
    site = world.site_for(1, tmp_path, "jiangsu", server=server)
    with pytest.raises(SiteError, match=told):
        Jiangsu(site, None, world.JIANGSU)


@pytest.mark.parametrize(
    ("server", "told"), [({"fingerprint": "12:34"}, "64 hex digits"), ({"ca_file": "/no/such/file"}, "no/such/file")]
)
def test_a_fingerprint_or_ca_file_that_cannot_be_used_is_told(server, told):
    with pytest.raises(SiteError, match=told):
        Transport(world.Server(url="https://h", **server))
