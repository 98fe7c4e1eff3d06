"""Jiangsu's collection from a unit's database to the stand-in over TLS, by the commands that cron would run."""

import contextlib
import datetime
import hashlib
import ipaddress
import json
import sqlite3

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from hanma.upload import privacy
from host_tests.upload import site_world

pytestmark = pytest.mark.slow
_TODAY = datetime.datetime.now(datetime.timezone(datetime.timedelta(hours=8))).date()
_SECRET = "the-unit-s-secret"
_RISK = {
    "riskNo": "FX0001",
    "regNo": "31103201152026090001",
    "riskName": "电站锅炉",
    "riskType": "0",
    "registDate": "2026-10-01",
    "accidentType": "爆炸、泄漏",
    "commonAddr": "第一车间",
    "inherentriskLevel": "较大风险",
    "remainriskLevel": "低风险",
    "controlLevel": "公司（厂）级",
    "dutyName": "示范化工有限公司",
    "dutyMan": "张某",
    "checkMan": "李某",
    "checkDate": "2026-10-02",
    "ID": "FX0001",
    "updateDate": "2026-11-01",
}
_PROFILE = """platform = "jiangsu"

[server]
url = "{url}"
fingerprint = "{fingerprint}"
rate_per_s = 1000

[credentials]
appid = "env:HANMA_APPID"
secret = "env:HANMA_SECRET"

[settings]
batch_rows = 10

[collect]
source = "env:HANMA_SOURCE"
target = "env:HANMA_TARGET"

[collect.queries]
risk = "select * from risk where updateDate >= :since order by ID"
company = "select * from company"
{more}"""
_DAILY = "".join(f'{name} = "select * from {name}"\n' for name in ("hazard", "hidden_danger"))
_WEEKLY = "".join(f'{name} = "select * from {name}"\n' for name in ("department", "person", "regulation", "training", "risk_map"))


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate for 127.0.0.1 that no authority signed: (PEM file, key file, SHA-256)."""
    directory = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.timezone.utc)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .sign(key, hashes.SHA256())
    )
    (directory / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    (directory / "key.pem").write_bytes(pem)
    shown = hashlib.sha256(made.public_bytes(serialization.Encoding.DER)).hexdigest()
    return directory / "cert.pem", directory / "key.pem", shown


class Unit:
    """A unit's office: its own database, its profile, and the platform's ledger."""

    def __init__(self, directory, ledger):
        self._office = site_world.Office(directory)
        self._source, self._ledger = directory / "safety.db", ledger
        self._target = directory / "target.db"
        self.execute("create table risk (" + ", ".join(_RISK) + ")")
        self.execute("create table company (comName, orgNo, deputy, cityCode, aeraCode, address, linkMan, linkTel, ID, updateDate)")
        for name in ("hazard", "hidden_danger", "department", "person", "regulation", "training", "risk_map"):
            self.execute(f"create table {name} (ID, updateDate)")

    @property
    def office(self):
        return self._office

    def execute(self, statement, values=()):
        """Change the unit's own database."""
        with contextlib.closing(sqlite3.connect(self._source)) as database, database:
            database.execute(statement, values)

    def risk(self, number, **more):
        """Write a risk point into the unit's database."""
        row = _RISK | {"riskNo": f"FX{number:04}", "ID": f"FX{number:04}"} | more
        self.execute("delete from risk where ID = ?", [row["ID"]])
        self.execute(f"insert into risk values ({', '.join('?' * len(row))})", list(row.values()))

    def run(self, *words):
        """Run a command; return (status, output, complaint)."""
        settings = {"HANMA_APPID": "unit-1", "HANMA_SECRET": _SECRET}
        settings |= {"HANMA_SOURCE": f"sqlite:///{self._source}", "HANMA_TARGET": f"sqlite:///{self._target}"}
        return self._office.run(*words, settings=settings)

    def sent(self):
        """Return (busType, [ID, …]) of every batch the platform took, in order."""
        entries = map(json.loads, self._ledger.read_text("utf-8").splitlines())
        bodies = [one["body"] for one in entries if one["endpoint"] == "syndata" and one["taken"]]
        return [(one["txcode"], one["busType"], [row["ID"] for row in one["data"]]) for one in bodies]

    def target(self, statement):
        """Return the rows of a query to the target database."""
        with contextlib.closing(sqlite3.connect(self._target)) as database:
            return database.execute(statement).fetchall()


@pytest.fixture
def unit(tmp_path, certificate):
    """A unit with three risk points in its database, and the platform behind TLS."""
    cert, key, fingerprint = certificate
    ledger = tmp_path / "ledger.jsonl"
    options = ("--appid", "unit-1", "--secret", _SECRET, "--cert", cert, "--key", key, "--ledger", ledger)
    with site_world.stand_in("jiangsu", *options) as platform:
        (tmp_path / "sites").mkdir()
        text = _PROFILE.format(url=platform.url, fingerprint=fingerprint, more=_DAILY + _WEEKLY)
        (tmp_path / "sites" / "demo.toml").write_text(text, "utf-8")
        privacy.new_key(tmp_path / "sites" / "hanma.key")
        made = Unit(tmp_path, ledger)
        for number in (1, 2, 3):
            made.risk(number)
        yield made


def test_what_is_due_is_drawn_sent_and_due_no_more(unit):
    status, out, _ = unit.run("due")
    assert status == 1 and "风险点信息" in out and len(out.splitlines()) == 9
    status, out, complaint = unit.run("due", "--go")
    assert (status, complaint) == (0, "") and "平台已收 3" in out
    assert unit.sent() == [("06", "I", ["FX0001", "FX0002", "FX0003"])]
    assert unit.run("due")[:2] == (0, "")
    unit.run("due", "--go")
    assert len(unit.sent()) == 1


def test_a_change_is_an_update_and_what_is_gone_is_deleted_only_by_a_whole_comparison(unit):
    unit.run("due", "--go")
    unit.risk(2, remainriskLevel="一般风险", updateDate=str(_TODAY))
    unit.risk(4, updateDate=str(_TODAY))
    unit.execute("delete from risk where ID = 'FX0003'")
    status, out, complaint = unit.run("due", "--go", "--whole")
    assert (status, complaint) == (0, ""), out
    assert sorted(unit.sent()[1:]) == [("06", "D", ["FX0003"]), ("06", "I", ["FX0004"]), ("06", "U", ["FX0002"])]
    unit.run("due", "--go", "--whole")
    assert len(unit.sent()) == 4
    unit.risk(3, updateDate=str(_TODAY))
    unit.run("due", "--go", "--whole")
    assert unit.sent()[4:] == [("06", "I", ["FX0003"])]


def test_a_source_that_gives_nothing_deletes_nothing(unit):
    unit.run("due", "--go")
    unit.execute("delete from risk")
    status, _, complaint = unit.run("due", "--go", "--whole")
    assert status == 2 and complaint.count("\n") == 1 and "不作删除" in complaint
    assert len(unit.sent()) == 1
    assert unit.office.counts()["accepted"] == 3


def test_a_row_in_error_stays_and_the_rest_goes(unit):
    unit.risk(2, inherentriskLevel="很大风险")
    status, out, _ = unit.run("due", "--go")
    assert status == 1 and "很大风险" in out and "平台已收 2" in out
    assert unit.sent() == [("06", "I", ["FX0001", "FX0003"])]


def test_a_certificate_that_is_another_one_gets_no_secret(unit, certificate):
    profile = unit.office.profile
    text = profile.read_text("utf-8")
    profile.write_text(text.replace(certificate[2], "0" * 64), "utf-8")
    status, _, complaint = unit.run("token")
    assert status == 2 and "SHA-256" in complaint and _SECRET not in complaint
    profile.write_text(text, "utf-8")
    assert unit.run("token")[0] == 0


def test_what_was_collected_is_loaded_into_the_target_instead(unit):
    profile = unit.office.profile
    text = profile.read_text("utf-8")
    profile.write_text(text.replace("rate_per_s = 1000", "rate_per_s = 1000\nconnect_s = 0.1"), "utf-8")
    (unit.office.directory / "risk.jsonl").write_text(json.dumps(_RISK, ensure_ascii=False) + "\n", "utf-8")
    assert unit.run("add", "risk.jsonl")[0] == 0
    status, out, complaint = unit.run("load")
    assert (status, complaint) == (0, "") and "风险点信息 1" in out
    ((batch_no, *row),) = unit.target("select batchNo, ID, txCode, busType, riskName, riskType from risk")
    assert row == ["FX0001", "06", "I", "电站锅炉", "0"]
    assert batch_no == f"{_TODAY:%Y%m%d}00000001"
    assert unit.office.counts()["accepted"] == 1


def test_a_query_that_fails_and_a_source_that_is_not_there_are_told_in_one_line_without_the_address(unit):
    profile = unit.office.profile
    text = profile.read_text("utf-8")
    profile.write_text(text.replace("select * from company", "select * from compny"), "utf-8")
    status, _, complaint = unit.run("due", "--go")
    assert status == 2 and "compny" in complaint and complaint.count("\n") == 1 and "safety.db" not in complaint
    assert len(unit.sent()) == 1  # what the other tables gave went out
    assert "单位基本信息" in unit.run("due")[1]
    profile.write_text(text.replace("env:HANMA_SOURCE", "env:HANMA_NOWHERE"), "utf-8")
    status, _, complaint = unit.run("due", "--go")
    assert status == 2 and "HANMA_NOWHERE" in complaint and complaint.count("\n") == 1
