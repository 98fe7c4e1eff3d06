"""Starts one life of the soak: `micropython start.py CODE TREE SCENARIO.json`. MicroPython.

CODE: where host_tests lies as modules (compiled for this port or as written). TREE: the staged tree of the terminal.
"""

import sys

code, tree, scenario = sys.argv[1:4]
sys.path[:] = [code + "/host_tests/port", ".frozen", tree + "/lib", code]

import ssl  # noqa: E402, F401 (its stand-in comes before the image's)

from host_tests.soak import life  # noqa: E402

life.main(scenario)
