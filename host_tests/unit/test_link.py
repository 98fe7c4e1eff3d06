"""The waits between two sessions: what makes them longer, and what alone makes them short again."""

_STABLE_S = 30  # of drivers/link.py
_FIRST_MS = 1000
_LAST_MS = 300000


def test_sessions_that_another_client_ends_at_once_come_ever_more_seldom_and_are_told_as_taken_over(micropython):
    waits_ms, causes = micropython.call("link", [1] * 12)
    for turn, wait_ms in enumerate(waits_ms):
        longest_ms = min(_FIRST_MS << turn, _LAST_MS)
        assert longest_ms // 2 <= wait_ms <= longest_ms
    assert causes[-10:] == ["taken_over"] * 10


def test_a_session_that_lasted_makes_the_next_wait_the_first_again(micropython):
    waits_ms, _ = micropython.call("link", [1, 1, 1, 1, _STABLE_S, 1])
    assert waits_ms[4] <= _FIRST_MS
    assert waits_ms[5] <= 2 * _FIRST_MS


def test_a_session_that_did_not_quite_last_leaves_the_wait_as_long_as_it_was(micropython):
    waits_ms, _ = micropython.call("link", [_STABLE_S - 1] * 6)
    assert waits_ms[5] >= 16 * _FIRST_MS
