"""What is flashed: the right parts, compiled, the same bytes every time, whole or not at all; and the tools for it."""

import hashlib
import io
import json
import pathlib
import shutil
import tarfile

import pytest
from typer.testing import CliRunner

from hanma import cli, toolchain
from hanma import stage as staging
from host_tests.unit import port_script

pytestmark = pytest.mark.slow  # real processes and sockets: not for `make check`


@pytest.fixture(scope="module")
def trees(tmp_path_factory):
    """A staged tree of each board: {board: Staged}."""
    directory = tmp_path_factory.mktemp("stage")
    return {board: staging.stage(board, directory / board) for board in staging.boards()}


def _paths(staged):
    return {file.path for file in staged.files}


def _contents(tree):
    return {path.relative_to(tree).as_posix(): path.read_bytes() for path in tree.rglob("*") if path.is_file()}


def test_only_boot_and_main_are_sources_and_they_are_as_written(trees):
    for staged in trees.values():
        assert {path for path in _paths(staged) if path.endswith(".py")} == {"boot.py", "main.py"}
        for name in ("boot.py", "main.py"):
            assert (staged.out / name).read_bytes() == (staging.FIRMWARE / name).read_bytes()


def test_every_part_of_the_firmware_is_in_the_tree(trees):
    written = {
        "lib/" + path.relative_to(staging.FIRMWARE).with_suffix(".mpy").as_posix()
        for room in ("terminal", "modem")
        for path in (staging.FIRMWARE / room).rglob("*.py")
    }
    assert written | {"lib/board.mpy"} <= _paths(trees["unix"])


def test_the_report_names_the_files_that_are_there(trees):
    for staged in trees.values():
        contents = _contents(staged.out)
        assert {file.path: file.bytes for file in staged.files} == {path: len(data) for path, data in contents.items()}
        assert staged.bytes == sum(map(len, contents.values()))
        assert staged.flash_bytes >= 4096 * len(contents)


def test_a_library_is_staged_only_where_the_image_lacks_it(trees):
    for board, staged in trees.items():
        frozen = "umqtt.simple" in staging.about_board(board)["image_libraries"]
        assert ("lib/umqtt/simple.mpy" in _paths(staged)) != frozen
    assert "lib/umqtt/simple.mpy" in _paths(trees["unix"])


def test_a_dialect_the_board_does_not_speak_stays_out(tmp_path, monkeypatch):
    monkeypatch.setattr(staging, "DIALECTS", {"simcom": ("simcom",), "other": ("ladder",)})
    paths = _paths(staging.stage("lilygo_t_a7670", tmp_path / "out"))
    assert "lib/modem/simcom.mpy" in paths
    assert "lib/modem/ladder.mpy" not in paths


def test_a_board_that_asks_its_modem_gets_every_dialect(trees):
    for names in staging.DIALECTS.values():
        assert {f"lib/modem/{name}.mpy" for name in names} <= _paths(trees["unix"])


def test_the_same_sources_give_the_same_bytes(trees, tmp_path):
    again = staging.stage("unix", tmp_path / "again")
    assert again.digest == trees["unix"].digest
    assert _contents(again.out) == _contents(trees["unix"].out)


def test_boards_differ_in_nothing_but_what_is_theirs(trees):
    one, other = trees["unix"], trees["lilygo_t_a7670"]
    mine, theirs = _contents(one.out), _contents(other.out)
    different = {path for path in mine.keys() | theirs.keys() if mine.get(path) != theirs.get(path)}
    dialects = {f"lib/modem/{name}.mpy" for family in staging.DIALECTS if family != "simcom" for name in staging.DIALECTS[family]}
    assert different == {"lib/board.mpy", "lib/umqtt/simple.mpy"} | dialects


def test_sources_are_staged_as_they_are_written(tmp_path):
    staged = staging.stage("unix", tmp_path / "out", source=True)
    assert all(path.endswith(".py") for path in _paths(staged))
    app = "terminal/interlock.py"
    assert (staged.out / "lib" / app).read_bytes() == (staging.FIRMWARE / app).read_bytes()


def test_the_device_gets_the_boards_data_and_nothing_of_the_hosts(trees, micropython64):
    for board, staged in trees.items():
        code = f"sys.path.append({str(staged.out / 'lib')!r})\nimport board\nprint(json.dumps([board.BOARD, dir(board)]))"
        data, names = port_script.run(micropython64, None, code)
        assert data == json.loads(json.dumps(staging.load_board(board)))
        assert "ABOUT" not in names


def test_every_compiled_module_loads_on_both_ports(trees, each_micropython):
    tree = trees["unix"].out / "lib"
    modules = [
        path.relative_to(tree).with_suffix("").as_posix().replace("/", ".").removesuffix(".__init__")
        for path in tree.rglob("*.mpy")
    ]
    code = f"sys.path.append({str(tree)!r})\nfor name in {modules!r}:\n    __import__(name)\nprint(json.dumps('loaded'))"
    assert port_script.run(each_micropython, None, code) == "loaded"


# Whole or not at all


@pytest.fixture
def firmware(tmp_path, monkeypatch):
    """A copy of the firmware that a test may spoil."""
    copy = tmp_path / "firmware"
    shutil.copytree(staging.FIRMWARE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(staging, "FIRMWARE", copy)
    return copy


def test_a_traceback_names_the_file_by_its_module(firmware, tmp_path, micropython64):
    (firmware / "terminal" / "extra.py").write_text("KEPT = ['fail']\ndef fail():\n    raise ValueError\n")
    tree = staging.stage("unix", tmp_path / "out").out / "lib"
    answer = port_script.run(
        micropython64,
        None,
        f"""
sys.path.append({str(tree)!r})
import io
from terminal import extra
text = io.StringIO()
try:
    extra.fail()
except ValueError as error:
    sys.print_exception(error, text)
print(json.dumps(text.getvalue()))""",
    )
    assert 'File \\"extra\\"' in answer or 'File "extra"' in answer


def test_a_tree_that_cannot_be_made_leaves_the_earlier_one(firmware, tmp_path):
    out = tmp_path / "tree" / "unix"
    staging.stage("unix", out)
    before = _contents(out)
    (firmware / "terminal" / "voice.py").write_text("def broken(:\n")
    with pytest.raises(staging.StageError, match="SyntaxError"):
        staging.stage("unix", out)
    assert _contents(out) == before
    assert [path.name for path in out.parent.iterdir()] == ["unix"]


def test_a_new_tree_replaces_the_earlier_one_without_its_leftovers(firmware, tmp_path):
    (firmware / "terminal" / "extra.py").write_text("X = 1\n")
    assert "lib/terminal/extra.mpy" in _paths(staging.stage("unix", tmp_path / "out"))
    (firmware / "terminal" / "extra.py").unlink()
    staging.stage("unix", tmp_path / "out")
    assert not (tmp_path / "out" / "lib" / "terminal" / "extra.mpy").exists()


def test_a_directory_with_something_else_in_it_is_left_alone(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(staging.StageError, match="config.json"):
        staging.stage("unix", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["config.json"]


def test_firmware_without_a_main_is_refused(firmware, tmp_path):
    (firmware / "main.py").unlink()
    with pytest.raises(staging.StageError, match="main.py"):
        staging.stage("unix", tmp_path / "out")


def test_an_unknown_board_or_modem_is_refused_with_those_there_are(tmp_path, monkeypatch):
    with pytest.raises(staging.StageError, match="lilygo_t_a7670"):
        staging.stage("lilygo", tmp_path / "out")
    monkeypatch.setattr(staging, "DIALECTS", {"other": ()})
    with pytest.raises(staging.StageError, match="'simcom'.*other"):
        staging.stage("lilygo_t_a7670", tmp_path / "out")


# The command


def test_the_command_shows_the_sizes_and_the_digest(tmp_path, trees):
    done = CliRunner().invoke(cli.app, ["stage", "--board", "unix", "--out", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    assert str(trees["unix"].bytes) in done.output
    assert trees["unix"].digest in done.output.replace("\n", "")


def test_the_command_fails_with_a_reason_and_no_traceback(tmp_path):
    done = CliRunner().invoke(cli.app, ["stage", "--board", "nothing", "--out", str(tmp_path / "out")])
    assert done.exit_code == 1
    assert "there is no board 'nothing'" in done.output
    assert "Traceback" not in done.output


def test_the_command_lists_the_boards():
    done = CliRunner().invoke(cli.app, ["boards"])
    assert done.exit_code == 0
    assert all(board in done.output for board in staging.boards())


# The tools


def test_another_micropython_can_be_named_and_must_exist(tmp_path, monkeypatch):
    monkeypatch.setenv("MICROPYTHON", str(tmp_path / "absent"))
    with pytest.raises(toolchain.Missing, match="MICROPYTHON"):
        toolchain.micropython()
    (tmp_path / "absent").touch()
    assert toolchain.micropython() == tmp_path / "absent"


def test_where_no_wheel_fits_the_message_says_which_it_fits(tmp_path, monkeypatch):
    monkeypatch.delenv("MICROPYTHON", raising=False)
    monkeypatch.setattr(toolchain.sys, "executable", str(tmp_path / "python"))
    with pytest.raises(toolchain.Missing, match="Linux x86-64 and macOS arm64"):
        toolchain.micropython()


def _archive(directory, text):
    """Put an archive of that name and other content into directory."""
    with tarfile.open(directory / "micropython-umqtt.simple-1.3.4.tar.gz", "w:gz") as archive:
        info = tarfile.TarInfo("micropython-umqtt.simple-1.3.4/umqtt/simple.py")
        info.size = len(text)
        archive.addfile(info, io.BytesIO(text))


def test_an_umqtt_of_other_content_than_pinned_is_refused(tmp_path, monkeypatch):
    _archive(tmp_path, b"raise SystemExit\n")
    monkeypatch.setattr(toolchain, "BUILD", tmp_path / "build")
    monkeypatch.setattr(toolchain, "_pip_sources", lambda: {"find_links": [str(tmp_path)]})
    with pytest.raises(toolchain.Missing, match="(?i)hash"):
        toolchain.umqtt_simple()
    assert list((tmp_path / "build").iterdir()) == []


def test_the_reader_of_manifests_is_the_pinned_one_or_none(tmp_path, monkeypatch):
    monkeypatch.setattr(toolchain, "BUILD", tmp_path / "build")
    monkeypatch.setattr(toolchain, "_pip_sources", lambda: {"find_links": [str(tmp_path)]})
    with pytest.raises(toolchain.Missing, match="micropython-stubber==1.29.1"):
        toolchain.manifest_reader()
    assert list((tmp_path / "build").iterdir()) == []


def test_umqtt_of_the_pinned_hash_is_fetched_once(tmp_path, monkeypatch):
    _archive(tmp_path, b"VERSION = 1\n")
    archive = tmp_path / "micropython-umqtt.simple-1.3.4.tar.gz"
    monkeypatch.setattr(toolchain, "BUILD", tmp_path / "build")
    monkeypatch.setattr(toolchain, "UMQTT_SHA256", hashlib.sha256(archive.read_bytes()).hexdigest())
    monkeypatch.setattr(toolchain, "_pip_sources", lambda: {"find_links": [str(tmp_path)]})
    first = toolchain.umqtt_simple()
    archive.unlink()
    assert toolchain.umqtt_simple() == first
    assert (first / "umqtt" / "simple.py").read_text() == "VERSION = 1\n"


def test_pips_own_settings_say_where_packages_are_looked_for(monkeypatch):
    listed = "global.index-url='https://index.example/simple'\n:env:.find-links='/wheels /more'\n"
    monkeypatch.setattr(toolchain, "run", lambda command: listed)
    assert toolchain._pip_sources() == {
        "index_urls": ["https://index.example/simple"],
        "find_links": ["/wheels", "/more"],
        "trusted_hosts": [],
    }


def test_without_a_debian_mirror_there_is_no_32_bit_port_and_it_is_said_so(tmp_path, monkeypatch):
    monkeypatch.delenv("MICROPYTHON32", raising=False)
    monkeypatch.setattr(toolchain, "BUILD", tmp_path)
    monkeypatch.setattr(toolchain, "run", lambda command, **options: "")
    with pytest.raises(toolchain.Missing, match="no Debian mirror"):
        toolchain.micropython32()
    assert list(tmp_path.iterdir()) == []


def test_a_mirror_is_debians_own_and_no_security_or_other_archive(monkeypatch):
    listed = (
        "https://other.example/node/ nodistro .\n"
        "http://deb.example/debian-security/ bookworm-security Debian\n"
        "http://deb.example/debian/ bookworm Debian\n"
    )
    monkeypatch.setattr(toolchain.shutil, "which", lambda name, path=None: "/usr/bin/" + name)
    monkeypatch.setattr(toolchain, "run", lambda command, **options: listed)
    assert toolchain._debian_mirror() == "http://deb.example/debian/"


def test_mosquitto_is_installed_by_root_on_debian_after_the_lists_are_fresh(monkeypatch):
    commands = []
    monkeypatch.setattr(toolchain, "_find_mosquitto", lambda: pathlib.Path("/m") if len(commands) == 2 else None)
    monkeypatch.setattr(toolchain.shutil, "which", lambda name, path=None: "/usr/bin/" + name)
    monkeypatch.setattr(toolchain.os, "geteuid", lambda: 0)
    monkeypatch.setattr(toolchain, "run", lambda command, **options: commands.append(command))
    assert toolchain.mosquitto() == pathlib.Path("/m")
    assert commands[0][-1] == "update"
    assert commands[1][-2:] == ["install", "mosquitto"]


def test_without_root_nothing_is_installed_and_the_message_says_what_to_install(monkeypatch):
    monkeypatch.setattr(toolchain, "_find_mosquitto", lambda: None)
    monkeypatch.setattr(toolchain.os, "geteuid", lambda: 1000)
    monkeypatch.setattr(toolchain, "run", lambda *_, **__: pytest.fail("something was run"))
    with pytest.raises(toolchain.Missing, match="apt-get install mosquitto"):
        toolchain.mosquitto()
