"""`hanma flash`: the MicroPython image onto the chip, by esptool. Only an image that the table knows, and that is whole.

boards/images.csv is the table: board, version and SHA-256 as the maker of the image publishes them; `--register VERSION` adds an
image that was tried, or built by oneself. State: that table.
Exit codes: 0 done; 1 it cannot be done, or the image is refused.
"""

import csv
import hashlib
import pathlib
import re
import struct
from typing import Annotated, Optional

import esptool
import typer
from esptool.bin_image import LoadFirmwareImage

from hanma import stage as staging
from hanma.provision import ports
from hanma.provision.words import Trouble

TABLE = staging.BOARDS / "images.csv"
# Where the ROM looks for the bootloader, and a MicroPython image begins (micropython ports/esp32/makeimg.py).
_BEGIN = {"esp32": 0x1000, "esp32s3": 0x0}
_TABLE_AT = 0x8000  # CONFIG_PARTITION_TABLE_OFFSET's default
_ENTRY = struct.Struct("<2sBBII16sI")
_ENTRY_MAGIC, _MD5_MAGIC = b"\xaa\x50", b"\xeb\xeb"
_TABLE_B = 0xC00
_APP = 0
_HASH_B = 32
_BAUD = 460800


class ImageError(Exception):
    """This image is not to be written; the text says why, in both languages."""


def command(
    image: Annotated[pathlib.Path, typer.Argument(help="The MicroPython image (.bin).")],
    port: Annotated[Optional[str], typer.Argument(help="Serial port; without it the one that has a board.")] = None,
    board: Annotated[str, typer.Option("--board", "-b", help="The board's name: see `hanma boards`.")] = "lilygo_t_a7670",
    sha256: Annotated[str, typer.Option("--sha256", help="The published hash of an image that is not in the table.")] = "",
    register: Annotated[
        str, typer.Option("--register", help="Write nothing to a chip: note this image in the table as that version, as 1.26.1.")
    ] = "",
    erase: Annotated[bool, typer.Option("--erase", help="Erase the whole chip first: files, identity and lock are gone.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check the image and show what would be written where.")] = False,
):
    """Write MicroPython onto a board's chip (烧写 MicroPython); then run hanma provision."""
    try:
        chip = staging.about_board(board)["chip"]
        data = image.read_bytes()
        plan = check(data, chip)
        if register:
            typer.echo(f"{TABLE}: {note(data, board, register, sha256, TABLE)}")
            return
        version = known_version(data, board, sha256)
        typer.echo(f"{image}: MicroPython {version}, SHA-256 {hashlib.sha256(data).hexdigest()}")
        for name, address, size, used in plan:
            typer.echo(f"  0x{address:06x}  {size:>8} B  {name}" + (f"  ({used} B)" if used else ""))
        found = port or next(iter(ports.boards()), None)
        words = arguments(chip, found or "PORT", image, erase)
        typer.echo("".join(f"esptool {' '.join(one)}\n" for one in words), nl=False)
        if dry_run:
            return
        if not found:
            raise Trouble("no_board")
        for one in words:
            esptool.main(one)
    except (ImageError, Trouble, staging.StageError, OSError, esptool.FatalError) as error:
        text = error.words("zh") + " " + error.words("en") if isinstance(error, Trouble) else error
        typer.echo(f"hanma flash: {text}", err=True)
        raise typer.Exit(1) from None
    typer.echo(f"hanma provision --board {board} …")


def arguments(chip, port, image, erase):
    """Return the command lines of esptool, one list each."""
    first = ["--chip", chip, "--port", str(port), "--baud", str(_BAUD)]
    write = [*first, "write-flash", hex(_BEGIN[chip]), str(image)]
    return [[*first, "erase-flash"], write] if erase else [write]


def known_version(data, board, published, table=TABLE):
    """Return the version of an image that is in the table, or whose published hash is its own: then what it says of itself.

    Raises ImageError.
    """
    digest = hashlib.sha256(data).hexdigest()
    with open(table, newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["sha256"].lower() == digest:
                if row["board"] != board:
                    raise ImageError(f"镜像属于 {row['board']} this image is for {row['board']}, not for {board}")
                return row["version"]
    if published.lower() == digest:
        said = re.search(rb"MicroPython v([\w.-]+) on ", data)
        return said[1].decode() if said else "?"
    if published:
        raise ImageError(f"SHA-256 不符 its SHA-256 is {digest}, not the published one: download it again")
    raise ImageError(
        f"镜像不在 boards/images.csv 中 it is not in boards/images.csv. Compare with what its maker publishes: {digest}. "
        "试用合格后用 --register 版本号 登记 Once it was tried, note it with --register VERSION"
    )


def note(data, board, version, published, table):
    """Add an image that check() found whole to the table; return its line. published: its hash, "" where nobody published one.

    Raises ImageError when that is another one, the image says of itself that it is another version, or the table knows it.
    """
    digest = hashlib.sha256(data).hexdigest()
    if published and published.lower() != digest:
        raise ImageError(f"SHA-256 不符 its SHA-256 is {digest}, not the published one: download it again")
    if not re.search(rb"v%s(?![\w.-])" % re.escape(version).encode(), data):
        raise ImageError(f"镜像中没有版本号 v{version} nothing in the image says v{version}")
    if digest in table.read_text(encoding="utf-8"):
        raise ImageError("镜像已登记 the table has this image")
    line = f"{board},{version},{digest}"
    with open(table, "a", encoding="utf-8") as file:
        file.write(line + "\n")
    return line


def check_app(data, chip):
    """Raise ImageError when data is not one program and nothing else: what goes into an app partition over the air."""
    used = program(data, chip, "app")
    if len(data) not in (used, used + _HASH_B):
        raise ImageError("这不是 micropython.bin this is not micropython.bin: more follows, as in firmware.bin for the cable")


def check(data, chip):
    """Return [(name, address, size, bytes used or 0)] of what is written; esptool checks the two programs. Raises ImageError."""
    begin = _BEGIN[chip]
    table = _partitions(data[_TABLE_AT - begin : _TABLE_AT - begin + _TABLE_B])
    found = [("bootloader", begin, _TABLE_AT - begin, program(data[: _TABLE_AT - begin], chip, "bootloader"))]
    found.append(("partition table", _TABLE_AT, _TABLE_B, 0))
    for name, kind, address, size in table:
        used = 0
        if kind == _APP and data[address - begin :]:
            used = program(data[address - begin : address - begin + size], chip, name)
            if address - begin + used > len(data):
                raise ImageError(f"镜像不完整 the image ends within {name}")
        found.append((name, address, size, used))
    if not any(used for name, _, _, used in found[2:]):
        raise ImageError("镜像中没有程序 there is no program in the image")
    return found


def _partitions(data):
    """Return [(name, type, address, size)]; the table's own MD5 is checked."""
    found, seen = [], 0
    while data[seen : seen + 2] == _ENTRY_MAGIC:
        _, kind, _, address, size, name, _ = _ENTRY.unpack_from(data, seen)
        found.append((name.rstrip(b"\0").decode(errors="replace"), kind, address, size))
        seen += _ENTRY.size
    end = data[seen : seen + _ENTRY.size]
    if not found or end[:2] == _MD5_MAGIC and end[16:] != hashlib.md5(data[:seen], usedforsecurity=False).digest():
        raise ImageError("分区表损坏 the partition table is not whole")
    return found


def program(data, chip, name):
    """Return the bytes of a program by esptool's own reading of it, without its hash: chip, checksum and hash are right.

    Raises ImageError.
    """
    try:
        loaded = LoadFirmwareImage(chip, data)
    except (esptool.FatalError, struct.error, OSError, IndexError) as error:
        raise ImageError(f"{name}: {re.sub(r'[.]$', '', str(error))} 镜像损坏") from None
    if loaded.chip_id != loaded.ROM_LOADER.IMAGE_CHIP_ID:
        raise ImageError(f"{name}: 镜像属于另一种芯片 made for another chip than {chip}")
    if loaded.checksum != loaded.calculate_checksum():
        raise ImageError(f"{name}: 校验和不符 wrong checksum")
    if getattr(loaded, "append_digest", False) and loaded.stored_digest != loaded.calc_digest:
        raise ImageError(f"{name}: 摘要不符 wrong hash")
    return loaded.data_length
