"""Text helpers of the simulated modem: bytes as text, command arguments, numbers. Pure."""


def latin(data):
    """Return bytes as text, one character a byte (text stays as it is)."""
    if isinstance(data, str):
        return data
    if not data or max(data) < 128:
        return bytes(data).decode()
    return "".join(chr(byte) for byte in data)


def unhex(text):
    """Return the bytes of a hexadecimal text; raises ValueError."""
    return bytes(int(text[i : i + 2], 16) for i in range(0, len(text), 2))


def number_in(text, low, high):
    """Return text as an integer if it is one in low..high, else None."""
    try:
        value = int(text)
    except ValueError:
        return None
    return value if low <= value <= high else None


def split_outside_quotes(text, separator):
    """Split text at separators that do not stand inside double quotes."""
    if separator not in text:
        return [text]
    parts, start, quoted = [], 0, False
    for index, character in enumerate(text):
        if character == '"':
            quoted = not quoted
        elif character == separator and not quoted:
            parts.append(text[start:index])
            start = index + 1
    parts.append(text[start:])
    return parts


def split_arguments(text):
    """Return the arguments of a set command as texts without their quotes."""
    return [part.strip().strip('"') for part in split_outside_quotes(text, ",")]
