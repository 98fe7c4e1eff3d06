"""A drive played against the simulator's clock: where the terminal is at a given time. Pure.

A track is a list of (time in seconds from the start, latitude, longitude, altitude in decimetres),
coordinates in 1e-7 degrees WGS-84, in order of time. Between two points the position is interpolated; after
the last point the drive begins again from its end backwards, so that it never jumps.

Files are CSV with the header `t_s,lat,lon,alt_m` or JSON lines {"t_s":…, "lat":…, "lon":…, "alt_m":…},
coordinates in decimal degrees.
"""

import json

_METRES_PER_DEGREE = 111320
_KNOTS_DIVISOR = 5144  # 1 knot is 0.5144 m/s


def decimal_e(text, places):
    """Return decimal text as an integer with `places` places, without floats: ('29.5', 7) -> 295000000."""
    text = text.strip()
    negative = text.startswith("-")
    whole, _, fraction = text.lstrip("+-").partition(".")
    value = int((whole or "0") + (fraction + "0" * places)[:places])
    return -value if negative else value


def decimal_text(value, places):
    """Return an integer with `places` places as decimal text: (295000000, 7) -> '29.5000000'."""
    sign = "-" if value < 0 else ""
    whole, fraction = divmod(abs(value), 10**places)
    return "%s%d.%0*d" % (sign, whole, places, fraction)


def parse(lines):
    """Return the points of a track file's lines; raises ValueError for none, or time that runs backwards."""
    points = []
    for line in lines:
        line = line.strip()
        if line.startswith("{"):
            row = json.loads(line)
            fields = [str(row["t_s"]), str(row["lat"]), str(row["lon"]), str(row.get("alt_m", 0))]
        elif line and line[0].isdigit():
            fields = (line + ",0").split(",")[:4]
        else:
            continue  # a header, a comment or an empty line
        points.append(
            (int(fields[0]), decimal_e(fields[1], 7), decimal_e(fields[2], 7), decimal_e(fields[3], 1))
        )
    if not points or any(points[i][0] >= points[i + 1][0] for i in range(len(points) - 1)):
        raise ValueError("a track needs points whose times increase")
    return points


def load(path):
    """Return the points of a track file."""
    with open(path) as file:
        return parse(file)


class Track:
    """Where a drive is at a time."""

    def __init__(self, points):
        self._points = points
        self._length_s = points[-1][0] - points[0][0]

    def at(self, elapsed_ms):
        """Return (lat_e7, lng_e7, altitude in dm, speed in tenths of a knot, course in degrees) at a time."""
        points = self._points
        place_ms, backwards = self._place(elapsed_ms)
        index = 1
        while index < len(points) - 1 and points[index][0] * 1000 < place_ms:
            index += 1
        if len(points) == 1:
            return points[0][1], points[0][2], points[0][3], 0, 0
        a, b = points[index - 1], points[index]
        span_ms = (b[0] - a[0]) * 1000
        part_ms = place_ms - a[0] * 1000
        lat, lng, alt = (a[i] + (b[i] - a[i]) * part_ms // span_ms for i in (1, 2, 3))
        if backwards:
            a, b = b, a
        speed, course = _motion(a, b)
        return lat, lng, alt, speed, course

    def _place(self, elapsed_ms):
        """Return (time on the track in ms, whether it is driven backwards)."""
        start_ms, length_ms = self._points[0][0] * 1000, self._length_s * 1000
        if not length_ms:
            return start_ms, False
        lap, rest_ms = divmod(elapsed_ms, length_ms)
        return start_ms + (length_ms - rest_ms if lap % 2 else rest_ms), lap % 2 == 1


def _motion(a, b):
    """Return (tenths of a knot, whole degrees) between two points; good enough within a city."""
    north_m = (b[1] - a[1]) * _METRES_PER_DEGREE // 10**7
    east_m = (b[2] - a[2]) * _METRES_PER_DEGREE * 87 // 100 // 10**7  # cosine of 29.5 degrees
    metres = _root(north_m * north_m + east_m * east_m)
    seconds = abs(b[0] - a[0])
    return metres * 100000 // (_KNOTS_DIVISOR * seconds), _course(north_m, east_m)


def _root(value):
    root = value
    while root * root > value:
        root = (root + value // root) // 2
    return root


def _course(north, east):
    """Return the course in degrees to within four: arc tangent by a quotient."""
    a, b = abs(north), abs(east)
    if not a and not b:
        return 0
    angle = 45 * min(a, b) // max(a, b)
    angle = angle if a >= b else 90 - angle
    if north >= 0:
        return angle if east >= 0 else (360 - angle) % 360
    return 180 - angle if east >= 0 else 180 + angle


# Used when no track is given: a drive of four points at Chongqing's Jiefangbei.
SHORT = [
    (0, 295590000, 1065770000, 2500),
    (60, 295610000, 1065790000, 2500),
    (120, 295640000, 1065800000, 2520),
    (240, 295660000, 1065740000, 2550),
]
