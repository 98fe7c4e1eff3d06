"""China's coordinate system GCJ-02 from WGS-84. Pure; loaded only where the configuration asks for it.

The one place with floats: the offset is a few hundred metres, and the 24 bits of single precision are plenty for it.
Coordinates are integers in 1e-7 degree.
"""

from math import cos, pi, sin, sqrt


def is_in_china(lat_e7, lng_e7):
    """Return whether the place lies in the box where GCJ-02 applies, by custom somewhat wider than China."""
    return 8293000 <= lat_e7 <= 558271000 and 720040000 <= lng_e7 <= 1378347000


def convert(lat_e7, lng_e7):
    """Return (system, latitude, longitude): "gcj02" within China, "wgs84" and the place as it is elsewhere."""
    if not is_in_china(lat_e7, lng_e7):
        return "wgs84", lat_e7, lng_e7
    return ("gcj02",) + to_gcj02(lat_e7, lng_e7)


def to_gcj02(lat_e7, lng_e7):
    """Return a WGS-84 place as GCJ-02, both in 1e-7 degree; outside the box it is returned as it is."""
    if not is_in_china(lat_e7, lng_e7):
        return lat_e7, lng_e7
    north_e7, east_e7 = gcj02_offset(lat_e7, lng_e7)
    return lat_e7 + north_e7, lng_e7 + east_e7


def gcj02_offset(lat_e7, lng_e7):
    """Return the offset (north, east) in 1e-7 degree by the published formula, Krassovsky's ellipsoid.

    The subtraction is done in integers, so that single precision begins with a small number.
    """
    x = (lng_e7 - 1050000000) * 1e-7
    y = (lat_e7 - 350000000) * 1e-7
    latitude = lat_e7 * 1e-7 * pi / 180
    sine = sin(latitude)
    flat = 1 - 0.00669342162296594323 * sine * sine
    metre_e7 = 1e7 * 180 / pi / 6378245.0
    north_e7 = gcj02_north(x, y) * metre_e7 * flat * sqrt(flat) / (1 - 0.00669342162296594323)
    east_e7 = gcj02_east(x, y) * metre_e7 * sqrt(flat) / cos(latitude)
    return round(north_e7), round(east_e7)


def gcj02_north(x, y):
    """Return the offset to the north in metres; x, y: degrees east of 105 and north of 35."""
    metres = -100 + 2 * x + 3 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * sqrt(abs(x))
    metres += (20 * sin(6 * pi * x) + 20 * sin(2 * pi * x)) * 2 / 3
    metres += (20 * sin(pi * y) + 40 * sin(pi * y / 3)) * 2 / 3
    return metres + (160 * sin(pi * y / 12) + 320 * sin(pi * y / 30)) * 2 / 3


def gcj02_east(x, y):
    """Return the offset to the east in metres; x, y as for gcj02_north."""
    metres = 300 + x + 2 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * sqrt(abs(x))
    metres += (20 * sin(6 * pi * x) + 20 * sin(2 * pi * x)) * 2 / 3
    metres += (20 * sin(pi * x) + 40 * sin(pi * x / 3)) * 2 / 3
    return metres + (150 * sin(pi * x / 12) + 300 * sin(pi * x / 30)) * 2 / 3
