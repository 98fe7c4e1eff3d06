"""A run that gives rows back and is killed in the midst of a sheet: python -m host_tests.upload.dying_marker PATH."""

import os
import signal
import sys

from hanma.upload import marking
from hanma.upload.problems import Place
from hanma.upload.record import Row

_ROWS = 3000
_PLACE = Place("表.csv", "", 2)


class _Dying(dict):
    """The cells of the row at which the process dies: it is asked for its values when all before it are written."""

    def get(self, key):
        """Die."""
        os.kill(os.getpid(), signal.SIGKILL)


def main():
    """Give back rows of which the last one kills."""
    cells = {"idcard": "440500199001011234", "labourername": "张三丰" * 30}
    rows = [Row(_PLACE, cells) for _ in range(_ROWS)]
    marking.mark(sys.argv[1], [*rows, Row(_PLACE, _Dying(cells))], [])


if __name__ == "__main__":
    main()
