"""`hanma …` commands in one process that is, as far as a POSIX one can be, a Windows one.

`python -m host_tests.upload.as_windows` reads a JSON list of commands (lists of words; "<" and a text: standard input) from its
first argument and prints a JSON list of [status, output, complaints]. POSIX-only modules and names are missing, a file that is
open can't be moved, replaced or removed, names with Windows' forbidden signs can't be made, pipes speak cp936, and a text file
that is opened in the system's own encoding is an error.
"""

import asyncio
import io
import json
import os
import signal
import subprocess  # noqa: F401 - the standard library looks for POSIX while it is imported: that is done before
import sys
import tempfile
import warnings
from pathlib import Path

POSIX_MODULES = ("crypt", "fcntl", "grp", "pty", "pwd", "readline", "resource", "spwd", "syslog", "termios", "tty", "uvloop")
_OF_OS = """
    chown chroot fchmod fchown fork forkpty getegid geteuid getgid getpgid getpgrp getuid initgroups killpg lchown mkfifo mknod nice
    openpty pread pwrite sched_getaffinity setgid setpgid setsid setuid statvfs sync uname wait wait3 wait4
"""
_OF_SIGNAL = """
    SIGALRM SIGCHLD SIGHUP SIGKILL SIGPIPE SIGQUIT SIGUSR1 SIGUSR2 alarm pause pthread_sigmask setitimer sigwait
"""
POSIX_NAMES = {"os": _OF_OS.split(), "signal": _OF_SIGNAL.split()}
_FORBIDDEN = set('<>:"|?*')


class _NoPosix:
    """Finds no POSIX-only module."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        """Refuse a POSIX-only module; leave all else to others."""
        if name in POSIX_MODULES:
            raise ModuleNotFoundError(f"No module named {name!r} on Windows", name=name)


def _hold(path):
    """Raise PermissionError where this process has the file open."""
    here = os.path.realpath(path)
    for one in Path("/proc/self/fd").iterdir():
        try:
            target = os.readlink(one)
        except FileNotFoundError:
            continue
        if target == here:
            raise PermissionError(13, f"WinError 32: {here} is open")


def _heeding(function, fails_over=False):
    def called(*paths, **more):
        for path in paths:
            if isinstance(path, (str, os.PathLike)):
                _hold(path)
        if fails_over and os.path.exists(paths[1]):
            raise FileExistsError(17, "WinError 183", str(paths[1]))
        return function(*paths, **more)

    return called


def _look_at(event, words):
    """Refuse names that no file of Windows can have."""
    if event in ("open", "os.mkdir", "os.rename", "sqlite3.connect"):
        for one in words[:2] if event == "os.rename" else words[:1]:
            name = Path(os.fsdecode(one)).name if isinstance(one, (str, bytes, os.PathLike)) else ""
            if _FORBIDDEN & set(name) and not str(one).startswith(("/proc", "/dev", "<")):
                raise OSError(22, "WinError 123: no such name on Windows", str(one))


def _become_windows():
    for module, names in POSIX_NAMES.items():
        for name in names:
            if hasattr(sys.modules[module], name):
                delattr(sys.modules[module], name)
    for name in POSIX_MODULES:
        sys.modules.pop(name, None)
    sys.meta_path.insert(0, _NoPosix)
    os.rename = _heeding(os.rename, fails_over=True)
    os.replace, os.unlink, os.remove = (_heeding(one) for one in (os.replace, os.unlink, os.remove))
    tempfile.TemporaryFile = tempfile.NamedTemporaryFile
    sys.addaudithook(_look_at)
    warnings.filterwarnings("error", category=EncodingWarning, module=r"hanma\b")


def _run(words):
    """Run one command; return [status, output, complaints]."""
    from hanma import cli

    given = words.pop(words.index("<") + 1).encode() if "<" in words else b""
    pipes = [io.TextIOWrapper(io.BytesIO(data), encoding="cp936") for data in (given, b"", b"")]
    sys.stdin, sys.stdout, sys.stderr = pipes
    sys.argv = ["hanma", *(one for one in words if one != "<")]
    try:
        cli.app()
        status = 0
    except SystemExit as ended:
        status = ended.code or 0
    finally:
        sys.stdin, sys.stdout, sys.stderr = sys.__stdin__, sys.__stdout__, sys.__stderr__
    for one in pipes:
        one.flush()
    return [status, *(one.buffer.getvalue().decode() for one in pipes[1:])]


def main():
    """Become Windows and run the commands."""
    asyncio.get_event_loop_policy()
    assert signal and Path
    _become_windows()
    print(json.dumps([_run(words) for words in json.loads(sys.argv[1])]))


if __name__ == "__main__":
    main()
