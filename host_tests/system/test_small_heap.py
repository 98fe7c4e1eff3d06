"""The whole story with TLS in a heap of stated size beside the stand-ins' own, on object sizes of the ESP32."""

import pytest

from host_tests.system.small_heap import HEAP, play, standins


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_the_whole_story_with_tls_is_played_in_the_heap_that_is_stated(tmp_path, micropython32):
    world = play(tmp_path, micropython32, HEAP + standins(micropython32))
    assert world.chip.boots == 1, world.chip.console_text()
    assert "MemoryError" not in world.chip.console_text()
