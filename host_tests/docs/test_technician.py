"""The technician's chapter, every command of it in its order, at a bench with two virtual boards and one cable; its pictures.

The boards' data are those of `unix`. A pty has no USB vendor by which a board is found: where the chapter names no port, the
hands name the cable's.
"""

import contextlib
import hashlib
import re
import signal

import pytest

from hanma.provision.record import Record
from host_tests import bench_pictures
from host_tests.docs import chapters
from host_tests.docs.images import image
from host_tests.docs.reader import Reader
from host_tests.release import forge
from host_tests.system.harness import wait_for

CHAPTERS = {"en": "technician.md", "zh": "technician.zh.md"}
_PICTURES = chapters.DOCS / "pictures"
_BATCH = "device_id,secret,tls\nT-1,secret-of-one,false\nT-2,secret-of-two,false\n"


class Technician(Reader):
    """Who makes terminals of two boards with one cable, and opens one again. shown: what the command that watched printed."""

    CHAPTER = CHAPTERS["en"]

    def __init__(self, directory, stack):
        super().__init__(directory, stack, 2)
        self.desk.stands_in = {"lilygo_t_a7670": "unix"}
        self.shown = ""
        self.cable = directory / "cable"
        self.cable.symlink_to(self.boards[0].pts)
        (self.desk.place / "batch.csv").write_text(_BATCH)
        (self.desk.place / "config.json").write_text('{"host": "platform.example"}')
        digest = hashlib.sha256(image()).hexdigest()
        (self.desk.place / "boards" / "images.csv").write_text(f"board,version,sha256\nunix,1.26.1,{digest}\n")
        (self.desk.place / "release.keys").write_bytes(forge.public("A") + forge.public("B"))

    def at_cable(self, command):
        """Run it with the cable's port named, the button held."""
        self.hold_button(f"{command} {self.cable}")

    def move_cable(self, command):
        """Let it watch: plug the second board in after the first one's verdict, end it by Ctrl-C after the second's."""
        (self.desk.place / "watch.txt").touch()
        process = self.desk.start(f"exec {command} {self.cable} > watch.txt")
        try:
            self._until_shown("PASS", 1)
            self.cable.unlink()
            self._until_shown("plug in the next board", 1)
            self.cable.symlink_to(self.boards[1].pts)
            self._until_shown("PASS", 2)
            process.send_signal(signal.SIGINT)
            process.wait(20)
            self.shown = self._watched()
        finally:
            process.kill()
            process.communicate()

    def _watched(self):
        return (self.desk.place / "watch.txt").read_text()

    def _until_shown(self, words, count):
        def is_there():
            return self._watched().count(words) >= count

        wait_for(is_there, lambda: f"{words!r} in {self._watched()}", 60)

    def understood(self, command):
        """Of the test at the welder only that the tool knows every word: tests of the whole terminal have done it."""
        assert "--verify" in self.desk.run(f"{command} --help")

    def list_all(self, command):
        """Have the lists written, with what nobody knows named."""
        assert "终端" in self.desk.run(f"{command} || test $? = 1")

    HANDS = (
        (r"hanma accept", understood),
        (r"release key new", Reader.type_passphrase),
        (r"--export", list_all),
        (r"hanma flash", Reader.only_show),
        (r"--watch", move_cable),
        (r"hanma doctor|hanma provision --board", at_cable),
    )


@pytest.fixture(scope="module")
def technician(tmp_path_factory):
    """Who has followed the chapter to its end; every command has ended well."""
    with contextlib.ExitStack() as stack:
        found = Technician(tmp_path_factory.mktemp("technician"), stack)
        found.follow()
        yield found


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_both_boards_are_locked_terminals_in_the_order_of_the_cable(technician):
    given = [(board.nvs()["hanma"]["device_id"], board.nvs()["hanma"]["lock"]) for board in technician.boards]
    assert given == [(b"T-1", 1), (b"T-2", 1)]
    assert [one["device_id"] for one in Record(technician.desk.place / "hanma-batch.sqlite").terminals()] == ["T-1", "T-2"]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_sheet_of_labels_is_there_when_watching_was_ended_by_ctrl_c(technician):
    assert "labels/labels.pdf" in technician.shown
    names = sorted(path.name for path in (technician.desk.place / "labels").iterdir())
    assert names == ["000001-T-1.png", "000002-T-2.png", "labels.pdf"]


def test_both_languages_have_the_same_commands():
    english, chinese = (chapters.commands(CHAPTERS[lang]) for lang in ("en", "zh"))
    assert [command.replace(" --lang en", "") for command in english] == chinese


@pytest.mark.parametrize("lang", CHAPTERS)
def test_the_chapter_shows_the_pictures_of_its_language(lang):
    shown = re.findall(r"!\[[^\]]+\]\(pictures/([^)]+)\)", (chapters.DOCS / CHAPTERS[lang]).read_text("utf-8"))
    assert shown == [f"provision.{lang}.svg", "label.png", f"doctor.{lang}.svg"]


@pytest.mark.slow
def test_the_pictures_have_the_words_that_the_tools_say_today(tmp_path):
    bench_pictures.make(tmp_path)
    for name in bench_pictures.NAMES:
        if name.endswith(".svg"):
            assert bench_pictures.words(tmp_path / name) == bench_pictures.words(_PICTURES / name), "make pictures"
    assert (tmp_path / "label.png").read_bytes() == (_PICTURES / "label.png").read_bytes(), "make pictures"


def test_no_secret_is_in_a_picture():
    assert not [name for name in bench_pictures.NAMES if b"s3cret" in (_PICTURES / name).read_bytes()]
