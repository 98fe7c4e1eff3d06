"""Plants faults in a terminal's own flash: its files as they are written, with pieces of their text replaced.

A piece that is not there any more, or more than once, is an error here: a fault that was not planted proves nothing. What is
planted looks for a file in the flash directory, its trigger, by `planted.is_told(name)`.
"""

import shutil

from hanma import stage, toolchain

_HELPER = '''
import asyncio
import os
import time


def is_told(name):
    """Return whether the trigger's file is there."""
    try:
        os.stat(name)
    except OSError:
        return False
    return True


async def hang(name, from_s=0):
    """Once, when told, and not before so many seconds after the start: prove no life any more until cancelled."""
    now_s = time.ticks_ms() // 1000
    if now_s >= from_s and is_told("hang_" + name):
        os.remove("hang_" + name)
        print("planted: %s %d" % (name, now_s))
        while True:
            await asyncio.sleep_ms(500)


def die(name):
    """As long as it is told."""
    if is_told("die_" + name):
        raise ValueError("planted")


def block(name):
    """Once, when told: hold the loop."""
    if is_told("block_" + name):
        os.remove("block_" + name)
        while True:
            time.sleep(1000)
'''


def plant(flash, faults, boot=""):
    """Stage the sources into a flash directory in place of what is compiled there.

    faults: {path under lib/: [(text, what it is replaced by), ...]}. boot: code that boot.py begins with.
    """
    source = toolchain.BUILD / f"{flash.parent.name}-{flash.parent.parent.name}-source"
    try:
        stage.stage("unix", source, source=True)
        shutil.rmtree(flash / "lib")
        shutil.copytree(source / "lib", flash / "lib")
    finally:
        shutil.rmtree(source, ignore_errors=True)
    (flash / "lib" / "planted.py").write_text(_HELPER)
    for path, pairs in faults.items():
        file = flash / "lib" / path
        text = file.read_text()
        for old, new in pairs:
            assert text.count(old) == 1, f"{path} has {old!r} {text.count(old)} times"
            text = text.replace(old, new)
        file.write_text(text)
    if boot:
        path = flash / "boot.py"
        path.write_text(boot + path.read_text())


def tell(flash, name):
    """Pull a planted trigger."""
    (flash / name).write_text("")


def untell(flash, name):
    """Let go of a planted trigger."""
    (flash / name).unlink(missing_ok=True)
