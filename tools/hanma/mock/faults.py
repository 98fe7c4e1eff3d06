"""Faults to order: what a stand-in shall do wrong, at which endpoint, how often.

Owns the list of ordered faults and their counts. It only decides which fault is due; the server carries it out.

kind            what happens
slow            waits delay_s (seconds), then goes on; another fault may be due for the same request
http            answers HTTP `status` (503) with a page of text
garbage         answers HTTP 200 with half a JSON document
cut_before      closes the connection, the request read but no record taken
cut_after       takes the record, then closes the connection without an answer
token_expired   forgets the token of the request and refuses it as unknown
refuse          refuses the record with the endpoint's own failure code, or with `code` and `message`
system_error    answers the endpoint's own "system error"

http and garbage come before the record is taken, or after it with "after": true.
"""

import dataclasses

KINDS = ("slow", "http", "garbage", "cut_before", "cut_after", "token_expired", "refuse", "system_error")
# The faults that the platform's handler carries out itself, since they are spoken in its codes.
SPOKEN = ("token_expired", "refuse", "system_error")


class FaultError(ValueError):
    """An order that cannot be understood."""


@dataclasses.dataclass
class Fault:
    """One order.

    endpoint: the key of an endpoint, None for all. times: how often it happens (None: without end; the default is once,
    or without end where `every` is given). every: only each N-th request. seen, fired: requests it looked at, times it
    happened.
    """

    kind: str
    endpoint: str | None = None
    times: int | None = 1
    every: int | None = None
    delay_s: float = 1.0
    status: int = 503
    code: str | None = None
    message: str | None = None
    after: bool = False
    seen: int = 0
    fired: int = 0

    def due(self, endpoint):
        """Say whether this fault's turn has come with a request to `endpoint`, and count the request."""
        if self.endpoint not in (None, endpoint) or (self.times is not None and self.fired >= self.times):
            return False
        self.seen += 1
        return self.every is None or self.seen % self.every == 0


# Per field of an order: whether a value is fit for it, and how that reads.
_FIELDS = {
    "kind": (lambda value: value in KINDS, f"one of {', '.join(KINDS)}"),
    "endpoint": (lambda value: value is None or isinstance(value, str), "an endpoint's key or null"),
    "times": (lambda value: value is None or _positive(value), "a whole number above 0, or null"),
    "every": (lambda value: value is None or _positive(value), "a whole number above 0, or null"),
    "delay_s": (lambda value: _number(value) and 0 <= value <= 3600, "0 to 3600 seconds"),
    "status": (lambda value: _positive(value) and 400 <= value <= 599, "400 to 599"),
    "code": (lambda value: value is None or isinstance(value, str), "a text"),
    "message": (lambda value: value is None or isinstance(value, str), "a text"),
    "after": (lambda value: isinstance(value, bool), "true or false"),
}


def _number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _positive(value):
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def parse(order, endpoints):
    """Return the Fault that one JSON object orders. Raises FaultError.

    endpoints: the keys that may be named.
    """
    if not isinstance(order, dict) or "kind" not in order:
        raise FaultError("an order is a JSON object with a kind")
    for name, value in order.items():
        if name not in _FIELDS:
            raise FaultError(f"{name}: not known; known are {', '.join(_FIELDS)}")
        fits, wanted = _FIELDS[name]
        if not fits(value):
            raise FaultError(f"{name}: {value!r} is not {wanted}")
    if order.get("endpoint") not in (None, *endpoints):
        raise FaultError(f"endpoint: {order['endpoint']!r} is none of {', '.join(endpoints)}")
    if order.get("every") is not None:
        order = {"times": None, **order}
    return Fault(**order)


class Faults:
    """The ordered faults of one stand-in, oldest first."""

    def __init__(self):
        self._orders = []

    def order(self, orders, endpoints):
        """Add a JSON list of orders, all or none. Raises FaultError."""
        if not isinstance(orders, list):
            raise FaultError("a JSON list of orders is wanted")
        self._orders += [parse(order, endpoints) for order in orders]

    def clear(self):
        """Forget all orders."""
        self._orders.clear()

    def listed(self):
        """Return the orders as JSON values, with how often each was seen and has happened."""
        return [dataclasses.asdict(fault) for fault in self._orders]

    def due(self, endpoint):
        """Return (delay in seconds, the other fault that is due or None) for a request to `endpoint`.

        One fault other than `slow` happens at a time, the oldest first; the rest keep their turn.
        """
        delay_s, chosen = 0.0, None
        for fault in self._orders:
            slow = fault.kind == "slow"
            if chosen is not None and not slow and fault.every is None:
                continue
            if not fault.due(endpoint) or (chosen is not None and not slow):
                continue
            fault.fired += 1
            if slow:
                delay_s += fault.delay_s
            else:
                chosen = fault
        return delay_s, chosen
