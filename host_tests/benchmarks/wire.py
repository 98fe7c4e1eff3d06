"""The least time an exchange with the modem needs on a UART: 8N1, ten bit times a byte, one direction at a time."""

BAUD = 115200
_BITS = 10
OK = b"\r\nOK\r\n"


def milliseconds(*pieces):
    """Return how long these bytes are on the wire."""
    return sum(len(piece) for piece in pieces) * _BITS * 1000 / BAUD


def seconds(count):
    """Return how long so many bytes are on the wire."""
    return count * _BITS / BAUD


def publish_packet(topic, payload):
    """Return the MQTT PUBLISH, QoS 1, that carries payload to topic."""
    body = len(topic).to_bytes(2, "big") + topic + b"\x00\x01" + payload
    length, head = len(body), bytearray()
    while True:
        length, low = divmod(length, 128)
        head.append(low | (0x80 if length else 0))
        if not length:
            return b"\x32" + bytes(head) + body


def receive(record, read_command):
    """Return what passes when the modem has a record for the terminal: notice, read command, header, record, OK."""
    notice = b"\r\n+CIPRXGET: 1,0\r\n"
    header = b"\r\n+CIPRXGET: 2,0,%d,0\r\n" % len(record)
    return notice, read_command + b"\r", header, record, OK


def send(length):
    """Return what passes when the terminal sends so many bytes: command, prompt, data, OK."""
    return b"AT+CIPSEND=0,%d\r" % length, b"\r\n>", bytes(length), OK
