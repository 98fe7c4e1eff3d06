"""The processes of a campaign, run to their end from any thread, or ended all at once when the campaign is interrupted.

Owns the set of those that are running. An interrupted one cleans up what it has started itself.
"""

import contextlib
import signal
import subprocess
import threading

_PATIENCE_S = 15  # host seconds for cleaning up
_lock = threading.Lock()
_running = set()
_is_over = False


class Interrupted(Exception):
    """The campaign is over: this was not run, or not to its end."""


def run(command, timeout_s, **options):
    """As subprocess.run with capture_output and text. Raises subprocess.TimeoutExpired or Interrupted."""
    with _lock:
        if _is_over:
            raise Interrupted
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)
        _running.add(child)
    try:
        out, errors = child.communicate(timeout=timeout_s)
    finally:
        _end(child)
        with _lock:
            _running.discard(child)
    if _is_over:
        raise Interrupted
    return subprocess.CompletedProcess(command, child.returncode, out, errors)


def stop():
    """End all of them, and let no other begin."""
    global _is_over
    with _lock:
        _is_over = True
        children = list(_running)
    for child in children:
        with contextlib.suppress(ProcessLookupError):
            child.send_signal(signal.SIGINT)
    for child in children:
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(_PATIENCE_S)
        child.kill()


def _end(child):
    """Let a child that was given up clean up, then make sure that it is gone."""
    if child.poll() is None:
        child.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.communicate(timeout=_PATIENCE_S)
        child.kill()
    child.wait()
