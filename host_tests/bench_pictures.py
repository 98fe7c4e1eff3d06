"""Draws the technician's pictures, a label and the screens of two tools: `python -m host_tests.bench_pictures DIR`.

The tools run on a virtual board with a simulated modem and a made-up identity; what they print is drawn as it is, in both
languages, with a port's usual name in the place of the pty's. Figures differ from run to run, words do not.
"""

import argparse
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

from rich.terminal_theme import TerminalTheme
from rich.text import Text

from hanma import toolchain
from host_tests import pictures
from host_tests.system.provisioning import BUTTON_PIN, Bench

LANGUAGES = ("zh", "en")
NAMES = ("label.png", *(f"{tool}.{lang}.svg" for tool in ("provision", "doctor") for lang in LANGUAGES))
_LABEL = "https://platform.example/t/{device_id}"
_PORT = "/dev/ttyUSB0"
_RUN_S = 100
_COLOURS = [(40, 40, 40), (170, 0, 0), (0, 120, 0), (150, 90, 0), (0, 0, 170), (120, 0, 120), (0, 110, 110), (255, 255, 255)]
_PAPER = TerminalTheme((255, 255, 255), (40, 40, 40), _COLOURS)


def make(directory):
    """Draw all of NAMES into a directory."""
    directory = pathlib.Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    for lang in LANGUAGES:
        with tempfile.TemporaryDirectory() as place:
            _draw(pathlib.Path(place), lang, directory)


def words(path):
    """Return the words of a drawn screen, digits and spaces left out: what two runs have in common."""
    shown = re.sub(r"<style>.*?</style>|<[^>]*>", "", pathlib.Path(path).read_text("utf-8"), flags=re.DOTALL)
    return re.sub(r"[\d\s]|&#\d+;", "", shown)


def _draw(place, lang, directory):
    """Let one board go through both tools and draw what they print."""
    with Bench(place) as bench:
        board = bench.board()
        bench.batch(1)
        provision = [*bench.command(board.pts, "--label", _LABEL), "--lang", lang]
        _screen(board, place, provision, f"hanma provision {_PORT} …", directory / f"provision.{lang}.svg")
        board.control.call("press_button", pin=BUTTON_PIN)
        doctor = [*provision[:3], "doctor", board.pts, "--batch", str(place / "batch.csv"), "--lang", lang]
        doctor += ["--record", str(place / "record.sqlite")]
        _screen(board, place, doctor, f"hanma doctor {_PORT} --batch batch.csv", directory / f"doctor.{lang}.svg")
    shutil.copyfile(place / "labels" / "000001-T-1.png", directory / "label.png")


def _screen(board, place, command, title, path):
    """Run a tool that ends well and draw what it printed."""
    environment = dict(os.environ, FORCE_COLOR="1", TERM="xterm-256color", COLUMNS="118")
    done = subprocess.run(
        command, env=environment, cwd=toolchain.ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=_RUN_S
    )
    assert done.returncode == 0, done.stdout
    shown = done.stdout.replace(board.pts, _PORT).replace(f"{place}/", "").rstrip()
    pictures.draw(path, title, [Text.from_ansi(shown)], _PAPER)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m host_tests.bench_pictures", description=__doc__.splitlines()[0])
    parser.add_argument("directory", help="where the pictures go")
    make(parser.parse_args().directory)
