"""Runs `hanma …` commands as processes without waiting for Python's imports each time: it imports once, and forks.

`python -m host_tests.upload.command_server` reads requests, a line of JSON each (words, directory, environment, and the files
that are to be standard input, output and error), and answers each with the status the command's process ended with.
"""

import json
import logging
import os
import sys
import traceback

from hanma import cli
from hanma.upload import cli as _upload  # noqa: F401 - so that a fork has it


def _command(asked):
    """Be the command; never returns."""
    status = 1
    try:
        os.chdir(asked["directory"])
        os.environ.clear()
        os.environ.update(asked["environment"])
        flags = (os.O_RDONLY, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        for number, (path, how) in enumerate(zip(asked["files"], flags, strict=True)):
            os.dup2(os.open(path, how, 0o600), number)
        sys.stdin, sys.stdout, sys.stderr = (os.fdopen(number, mode, encoding="utf-8") for number, mode in enumerate("rww"))
        if log := asked["environment"].get("HANMA_TEST_LOG"):
            logging.basicConfig(level=logging.DEBUG, filename=log, encoding="utf-8")
        sys.argv = ["hanma", *asked["words"]]
        cli.app()
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else 0 if ended.code is None else 1
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def main():
    """Serve until standard input ends."""
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            _command(json.loads(line))
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


if __name__ == "__main__":
    main()
