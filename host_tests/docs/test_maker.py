"""The maker's chapter, every command of it in its order: in a copy of the project, with virtual boards where it says ports."""

import contextlib
import json
import re
import ssl
import urllib.request

import pytest

from hanma.provision.record import Record
from host_tests.docs import chapters
from host_tests.docs.reader import Reader
from host_tests.system.harness import DEVICE_ID, free_port
from host_tests.upgrade.world import Upgrading, release

pytestmark = pytest.mark.slow

CHAPTER = "maker.md"
_PORTS = 3


class Maker(Reader):
    """Who makes terminals of three boards, keys and releases, and serves one. served: what the server gave."""

    CHAPTER = CHAPTER

    def __init__(self, directory, stack):
        super().__init__(directory, stack, _PORTS)
        self.desk.stands_in = {f"/dev/ttyUSB{number}": board.pts for number, board in enumerate(self.boards)}
        self.desk.stands_in["8443"] = str(free_port())
        self.served = None
        (self.desk.place / "server.pem").write_bytes(self.tls.certificate.read_bytes())
        (self.desk.place / "server.key").write_bytes(self.tls.key.read_bytes())
        (self.desk.place / "console.txt").write_text("Traceback (most recent call last):\n")

    def fetch(self, command):
        """Fetch what the server serves, with the order's token, and end the server."""
        process = self.desk.start(command)
        try:
            assert process.stdout.readline()
            token = re.search(r"--token (\S+)", command)[1]
            url = f"https://localhost:{self.desk.stands_in['8443']}/7.bundle"
            request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})
            context = ssl.create_default_context(cafile=str(self.desk.place / "ca.pem"))
            with urllib.request.urlopen(request, context=context, timeout=20) as answer:
                self.served = answer.read()
        finally:
            process.terminate()
            process.communicate()

    HANDS = (
        (r"release key new|release build", Reader.type_passphrase),
        (r"--register", Reader.plainly),
        (r"hanma flash", Reader.only_show),
        (r"hanma doctor", Reader.hold_button),
        (r"release serve", fetch),
    )


@pytest.fixture(scope="module")
def maker(tmp_path_factory):
    """Who has followed the chapter to its end; every command has ended well."""
    with contextlib.ExitStack() as stack:
        found = Maker(tmp_path_factory.mktemp("maker"), stack)
        found.follow()
        yield found


@pytest.mark.timeout(300)
def test_the_boards_are_terminals_with_an_identity_each_and_know_the_releases_keys(maker):
    keys = (maker.desk.place / "release.keys").read_bytes()
    given = [board.nvs()["hanma"]["device_id"].decode() for board in maker.boards]
    assert sorted(given) == ["T-0001", "T-0002", "T-0003"]
    for board in maker.boards:
        assert board.files()["release.keys"] == keys
        assert board.nvs()["hanma"]["lock"] == 1


@pytest.mark.timeout(300)
def test_the_record_has_every_board_and_the_labels_say_what_the_command_said(maker):
    record = Record(maker.desk.place / "hanma-batch.sqlite")
    assert [run["verdict"] for run in record.runs()] == ["pass"] * _PORTS
    site = {"T-0001": "north", "T-0002": "north", "T-0003": "south"}
    assert {name: text for _, name, text in record.labels()} == {
        name: f"https://platform.example/t/{name}?site={site[name]}" for name in site
    }


@pytest.mark.timeout(300)
def test_the_server_gives_the_bundle_that_was_built(maker):
    assert maker.served == (maker.desk.place / "7.bundle").read_bytes()


@pytest.mark.timeout(300)
def test_the_next_release_as_a_difference_is_a_small_part_of_the_whole(maker):
    sizes = {name: (maker.desk.place / name).stat().st_size for name in ("7.bundle", "8.bundle")}
    assert sizes["8.bundle"] < sizes["7.bundle"] / 5


def test_both_languages_have_the_same_commands_and_files():
    english, chinese = chapters.blocks(CHAPTER), chapters.blocks("maker.zh.md")
    assert [block.text.replace(" --lang en", "") for block in english] == [block.text for block in chinese]


def test_a_terminal_obeys_the_order_for_an_upgrade_as_it_is_written(tmp_path):
    order = json.loads(chapters.document(CHAPTER, "order"))
    with Upgrading(tmp_path) as upgrading:
        upgrade = order["content"]["upgrade"]
        upgrade["url"] = upgrading.serve(release(tmp_path / "seven", 7), token=upgrade["token"])
        platform = upgrading.world.platform
        upgrading.world.chip.power_on()
        upgrading.world.until_online()
        platform.publish(platform.topic("command", "u1"), order)
        assert platform.answer("u1")["result"]["answer"] == "upgrade"
        upgrading.until("ready", version=7)


def test_a_terminal_obeys_iotdas_event_as_it_is_written(tmp_path):
    event = json.loads(chapters.document(CHAPTER, "event"))
    with Upgrading(tmp_path, profile="iotda") as upgrading:
        paras = event["services"][0]["paras"]
        paras["url"] = upgrading.serve(release(tmp_path / "seven", 7), token=paras["access_token"])
        upgrading.world.chip.power_on()
        upgrading.world.until_online()
        upgrading.world.platform.publish(f"$oc/devices/{DEVICE_ID}/sys/events/down", {"object_device_id": DEVICE_ID, **event})
        upgrading.until("ready", version=7)
