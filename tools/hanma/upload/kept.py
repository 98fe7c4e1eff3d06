"""Results that cost much, kept for the next who asks: by key, so many bytes of them, the longest unused going. For threads."""

import threading
from collections import OrderedDict


class Kept:
    """State: key → (result, its bytes), the longest unused first. most_b: their bytes together."""

    def __init__(self, most_b):
        self._most_b, self._has_b = most_b, 0
        self._found = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key):
        """Return what is kept under a key, or None."""
        with self._lock:
            if key not in self._found:
                return None
            self._found.move_to_end(key)
            return self._found[key][0]

    def put(self, key, result, size_b):
        """Keep a result of so many bytes; what was not used for longest goes."""
        with self._lock:
            _, before_b = self._found.pop(key, (None, 0))
            self._found[key] = result, size_b
            self._has_b += size_b - before_b
            while self._has_b > self._most_b:
                _, (_, gone_b) = self._found.popitem(last=False)
                self._has_b -= gone_b
