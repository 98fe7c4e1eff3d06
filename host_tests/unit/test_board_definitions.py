"""What lies in `boards/` for MicroPython's build: manifests, partition tables and settings are what that build would take."""

import importlib.util
import re
import shutil

import pytest

from hanma import stage as staging
from hanma import toolchain
from host_tests.board import partitions

_BOARDS = sorted(path.parent.name for path in staging.BOARDS.glob("*/mpconfigboard.cmake"))
_FROZEN = staging.BOARDS / "frozen"
_MPY_FREEZES = {"_boot.py", "boot.py", "main.py", "flashbdev.py", "ssl.py", "umqtt/simple.py", "asyncio/core.py"}
_KIND_FREEZE_AS_MPY, _KIND_FREEZE_MPY = 4, 5  # tools/manifestfile.py
# What the manifests name of MicroPython and micropython-lib, as it lies there.
_MICROPYTHON = {
    "ports/esp32/modules/flashbdev.py": "",
    "ports/esp32/modules/_boot.py": "",
    "extmod/asyncio/manifest.py": 'package("asyncio", ("core.py",), base_path="..", opt=3)\n',
    "extmod/asyncio/core.py": "",
    "lib/micropython-lib/python-stdlib/ssl/manifest.py": 'metadata(version="0.2.1")\nmodule("ssl.py", opt=3)\n',
    "lib/micropython-lib/python-stdlib/ssl/ssl.py": "",
    "lib/micropython-lib/micropython/umqtt.simple/manifest.py": 'metadata(version="1.8.0")\npackage("umqtt")\n',
    "lib/micropython-lib/micropython/umqtt.simple/umqtt/simple.py": "",
}


@pytest.fixture(params=_BOARDS)
def board(request):
    """The name of each board that an image can be built for."""
    return request.param


@pytest.fixture(scope="module")
def reader():
    """MicroPython's tools/manifestfile.py as a module."""
    spec = importlib.util.spec_from_file_location("manifestfile", toolchain.manifest_reader())
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _read(board, reader, directory, is_staged=True):
    """Return [ManifestOutput] of a board's manifest, with the repository's boards/ and a staged tree in directory."""
    micropython = directory / "micropython"
    for name, text in _MICROPYTHON.items():
        path = micropython / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    shutil.copytree(staging.BOARDS, directory / "boards")
    if is_staged:
        staging.stage(board, directory / "build" / "image" / board / "recovery")
    places = {
        "MPY_DIR": micropython,
        "MPY_LIB_DIR": micropython / "lib/micropython-lib",
        "PORT_DIR": micropython / "ports/esp32",
        "BOARD_DIR": directory / "boards" / board,
    }
    manifest = reader.ManifestFile(reader.MODE_FREEZE, {name: str(path) for name, path in places.items()})
    manifest.execute(str(places["BOARD_DIR"] / "manifest.py"))
    return manifest.files()


def test_micropythons_own_reader_finds_the_boot_path_and_the_whole_staged_tree(board, reader, tmp_path):
    files = {file.target_path: file for file in _read(board, reader, tmp_path)}
    staged = {path.relative_to(tmp_path / "build/image" / board).as_posix() for path in tmp_path.glob("build/image/*/**/*.*py")}
    assert set(files) == _MPY_FREEZES | staged and {"recovery/boot.py", "recovery/lib/board.mpy"} <= staged
    assert files["_boot.py"].full_path == str(tmp_path / "boards/frozen/_boot.py")
    for name, file in files.items():
        assert file.kind == (_KIND_FREEZE_MPY if name.endswith(".mpy") else _KIND_FREEZE_AS_MPY)


def test_a_manifest_without_a_staged_tree_is_an_error(board, reader, tmp_path):
    _read(board, reader, tmp_path)
    shutil.rmtree(tmp_path / "build")
    shutil.rmtree(tmp_path / "boards")
    with pytest.raises(reader.ManifestFileError, match=f"build/image/{board}"):
        _read(board, reader, tmp_path, is_staged=False)


def test_nothing_frozen_under_its_own_name_hides_what_is_on_the_file_system():
    names = {path.stem for path in _FROZEN.glob("*.py")}
    assert names == {"_boot", "boot", "main", "manifest"}


def _flash_b(board):
    """Return the size of a board's flash as its sdkconfig says."""
    text = (staging.BOARDS / board / "sdkconfig.board").read_text()
    return int(re.search(r"^CONFIG_ESPTOOLPY_FLASHSIZE_(\d+)MB=y$", text, re.MULTILINE)[1]) << 20


def test_a_boards_partition_table_is_one_that_esp_idf_takes(board):
    flash_b = _flash_b(board)
    table = partitions.load(staging.BOARDS / board / "partitions.csv", flash_b)
    assert partitions.flaws(table, flash_b) == []
    assert [part["label"] for part in table if part["type"] == partitions.APP] in (["factory"], ["ota_0", "ota_1"])
    assert table[-1]["label"] == "vfs"


def test_the_file_system_has_room_for_the_flashed_tree_and_two_slots(board, tmp_path):
    table = partitions.load(staging.BOARDS / board / "partitions.csv", _flash_b(board))
    assert table[-1]["size"] > 3 * staging.stage(board, tmp_path / "tree").flash_bytes + 196608  # as download._RESERVE_B


_TABLE = partitions.load(partitions.OTA)


def _changed(label, /, **facts):
    return [{**part, **facts} if part["label"] == label else part for part in _TABLE]


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (_changed("ota_1", label="ota_0"), "unique"),
        (_changed("ota_1", label="a" * 16), "15 characters"),
        (_changed("otadata", size=0x1000), "0x2000"),
        (_changed("phy_init", subtype=0, size=0x2000), "more than one"),
        ([part for part in _TABLE if part["label"] != "otadata"], "without otadata"),
        (_changed("ota_1", address=0x191000), "ota_1 is not aligned"),
        (_changed("nvs", address=0x8000), "nvs overlaps"),
        (_changed("ota_0", size=0x190000), "ota_1 overlaps"),
        (_changed("vfs", size=0x100000), "behind the flash"),
    ],
)
def test_a_table_that_esp_idf_would_refuse_is_found(table, said):
    assert partitions.flaws(_TABLE, partitions.FLASH_B) == []
    assert any(said in flaw for flaw in partitions.flaws(table, partitions.FLASH_B))


def test_sizes_and_places_of_the_settings_have_their_sources(board):
    for name in ("sdkconfig.board", "partitions.csv", "mpconfigboard.cmake", "manifest.py"):
        assert (staging.BOARDS / board / name).read_text().startswith("#"), name


def test_the_build_is_told_where_the_boards_own_files_are(board):
    text = (staging.BOARDS / board / "mpconfigboard.cmake").read_text()
    for name in ("manifest.py", "partitions.csv", "sdkconfig.board"):
        assert "${MICROPY_BOARD_DIR}/" + name in text
    chip = staging.about_board(board)["chip"]
    assert f"include(boards/mpconfigboard_{chip}_common.cmake)" in text
    assert "MICROPY_HW_MCU_NAME" in (staging.BOARDS / board / "mpconfigboard.h").read_text()
