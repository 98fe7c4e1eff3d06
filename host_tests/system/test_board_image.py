"""A virtual board that was filled through mpremote serves in a whole world, from its flash image."""

import asyncio
import shutil
import subprocess
import sys

import pytest

from hanma import stage
from host_tests.board.board import Board
from host_tests.board.image import ImageError, read_files, write_files
from host_tests.world import World, WorldError

pytestmark = pytest.mark.slow

_NVS = "import esp32\nnvs = esp32.NVS('hanma')\nnvs.set_blob('device_id', b'{id}')\nnvs.set_blob('secret', b'none')\nnvs.commit()"
_LOGIN_S = 60


def _mpremote(board, *words):
    subprocess.run([sys.executable, "-m", "mpremote", "connect", board.pts, *words], check=True, capture_output=True, timeout=60)


@pytest.fixture
def filled(tmp_path):
    """The directory of a board with firmware and identity, off."""
    staged = stage.stage("unix", tmp_path / "tree")
    with Board(tmp_path / "board") as board:
        _mpremote(board, "cp", "-r", f"{staged.out}/.", ":/", "+", "exec", _NVS.format(id="board-7"))
    return tmp_path / "board"


def test_the_world_runs_a_copy_of_the_image_under_its_own_identity(filled, tmp_path):
    before = read_files(filled)

    async def until_login():
        async with World(tmp_path / "world", factor=4, image=filled / "flash.img") as world:
            while '"welder/board-7/up"' not in world.broker_log.read_text():
                await asyncio.sleep(0.05)

    asyncio.run(asyncio.wait_for(until_login(), _LOGIN_S))
    assert read_files(filled) == before and "config.json" not in before


def test_a_board_without_an_identity_is_refused_in_plain_words(filled, tmp_path):
    (filled / "nvs.json").unlink()

    async def enter():
        async with World(tmp_path / "world", image=filled / "flash.img"):
            raise AssertionError("it ran")

    with pytest.raises(WorldError, match="no identity"):
        asyncio.run(enter())


def test_files_written_into_an_image_are_there_for_the_board(filled):
    write_files(filled, {"main.py": b"print('from the host')\n", "lib/new.py": b"NEW = 1\n"})
    with Board(filled) as board:
        _mpremote(board, "exec", "from new import NEW; assert NEW == 1")
        assert board.files()["main.py"] == b"print('from the host')\n"


def test_an_image_that_is_no_file_system_is_refused(filled):
    shutil.copyfile(filled / "partitions.json", filled / "flash.img")
    with pytest.raises(ImageError):
        read_files(filled)
