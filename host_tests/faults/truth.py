"""What happened, by witnesses that are not the terminal: the relay's edges off the pin log, deliveries off the broker. Pure.

Edges are {"t_us", "pin", "level"} as `Chip.pin_log` gives them. An event is the inner object of a reported switching.
"""


def switchings(edges, pin):
    """Return [(t_us, powered)] for each time the welder got its power or lost it. A pin that nobody drives gives none."""
    powered, found = False, []
    for edge in edges:
        if edge["pin"] == pin and (edge["level"] == 1) != powered:
            powered = not powered
            found.append((edge["t_us"], powered))
    return found


def reported(events):
    """Return the events that tell of a switching, each once, in the order in which they were made."""
    named = {(event.get("boot"), event.get("seq")): event for event in events if event["cause"] != "resumed"}
    return [named[key] for key in sorted(named, key=lambda key: (key[0] or 0, key[1] or 0))]


def unreported(changes, events):
    """Return the switchings [(t_us, powered)] for which no event stands in its place among the others."""
    waiting = [bool(event["relay"]) for event in reported(events)]
    missing = []
    for change in changes:
        if change[1] in waiting:
            del waiting[: waiting.index(change[1]) + 1]
        else:
            missing.append(change)
    return missing


def names(uplinks):
    """Return {boot: set of sequence numbers} of all records that carry a name, and the ranges told to be dropped by rule."""
    seen, dropped = {}, []
    for content in uplinks:
        named = content.get("event", content)
        if named.get("seq") is not None and named.get("boot") is not None:
            seen.setdefault(named["boot"], set()).add(named["seq"])
        if content.get("kind") == "records_dropped":
            dropped.append(content["detail"])
    return seen, dropped


def gaps(uplinks):
    """Return [(boot, sequence)] of numbers that are neither delivered nor told to be dropped; the last ones cannot be known."""
    seen, dropped = names(uplinks)
    found = []
    for boot, numbers in sorted(seen.items()):
        for number in range(1, max(numbers)):
            if number not in numbers and not any(_covers(detail, (boot, number)) for detail in dropped):
                found.append((boot, number))
    return found


def _covers(detail, name):
    return tuple(detail["from"]) <= name <= tuple(detail["to"])
