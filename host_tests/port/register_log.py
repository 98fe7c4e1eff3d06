"""Reads relays behind a shift register off the log of the chip's pins. Pure."""


def shift595_edges(edges, data, clock, latch, enable=None, outputs=8):
    """Decode a 74HC595 from its pins' edges.

    Return [{"t_us", "bit", "level"}] for each change of an output (bit 0 is QA, the last one shifted in). The
    register keeps what was latched while the chip resets; until the first latch that is unknown (None). enable:
    the pin at its output enable, active low and pulled up; while it is not driven low every output is None.
    """
    level = {data: 0, clock: 0, latch: 0}
    shifted, latched, shown, found = 0, [None] * outputs, [None] * outputs, []
    enabled = enable is None
    for edge in edges:
        pin, value = edge["pin"], edge["level"]
        if pin == enable:
            enabled = value == 0
        rising = pin in level and value == 1 and level[pin] != 1
        if pin in level:
            level[pin] = value
        if rising and pin == clock:
            shifted = (shifted << 1 | (1 if level[data] else 0)) & ((1 << outputs) - 1)
        if rising and pin == latch:
            latched = [shifted >> bit & 1 for bit in range(outputs)]
        now = latched if enabled else [None] * outputs
        changed = [bit for bit in range(outputs) if now[bit] != shown[bit]]
        found += [{"t_us": edge["t_us"], "bit": bit, "level": now[bit]} for bit in changed]
        shown = now
    return found
