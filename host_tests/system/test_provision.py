"""`hanma provision` on virtual boards through mpremote's transport: what a technician and the record see."""

import pytest

from host_tests.system.provisioning import BUTTON_PIN, SECRET, Bench, kept

pytestmark = pytest.mark.slow


@pytest.fixture
def bench(tmp_path):
    """An empty bench."""
    with Bench(tmp_path) as made:
        yield made


def test_a_fresh_board_becomes_a_locked_terminal_with_a_label(bench):
    board = bench.board()
    bench.batch(2, qr="https://platform.example/t/{}")
    text = bench.passes(board.pts)
    print(text)
    print(board.console_text()[-3000:])
    files, identity = kept(board)
    assert identity == {"device_id": b"T-1", "secret": SECRET.format(1).encode(), "lock": 1}
