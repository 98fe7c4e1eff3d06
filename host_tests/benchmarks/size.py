"""What is flashed, and what of it stays loaded."""

from hanma import stage, toolchain
from host_tests.virtual.world import MINUTE, VirtualWorld

BOARD = "lilygo_t_a7670"


def measure(directory):
    """Return staged_b and resident_mpy_b: the files whose modules a terminal (board unix) has in sys.modules after its log-in."""
    staged = stage.stage(BOARD, directory / BOARD)
    sizes = {_module(file.path): file.bytes for file in staged.files}
    loaded = VirtualWorld(directory / "terminal", toolchain.micropython(), 2 * MINUTE + 1000).run().result["modules"]
    return {"staged_b": staged.bytes, "resident_mpy_b": sum(sizes.get(name, 0) for name in loaded)}


def _module(path):
    """Return the module's name of a staged file."""
    name = path.removeprefix("lib/").rpartition(".")[0].replace("/", ".")
    return name.removesuffix(".__init__")
