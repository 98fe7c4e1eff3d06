"""Places: what is believed, what is worth a report, and the offset of GCJ-02 in single precision."""

import ast
import math
import operator
import struct

import pytest
from drivers import position as driver
from hypothesis import given, settings
from hypothesis import strategies as st

from host_tests.unit import replay
from terminal import gcj02

CHONGQING = (295637010, 1065512340)
FIX_MS = 1_790_000_000_123


def fix(lat_e7=CHONGQING[0], lng_e7=CHONGQING[1], accuracy_dm=55, speed_cm_s=0):
    return [lat_e7, lng_e7, accuracy_dm, FIX_MS, speed_cm_s]


def look(*steps, **more):
    """Look around once a step: (now_s, fix, cell); return the driver's result."""
    return driver.run({"look": [list(step) for step in steps], **more})


# ---- what is believed


@pytest.mark.parametrize(
    "bad",
    [
        fix(0, 0),
        fix(0),
        fix(lng_e7=0),
        fix(900000001),
        fix(lng_e7=-1800000001),
        fix(accuracy_dm=0),
        fix(accuracy_dm=5001),
        fix(speed_cm_s=10001),
        fix(speed_cm_s=-1),
    ],
)
def test_a_fix_that_cannot_be_is_not_believed(bad):
    assert driver.run({"fixes": [bad]}) == [False]
    result = look((200, bad, "no_data_call"))
    assert result["reports"][0]["source"] == "none"
    assert result["reports"][0]["reason"] == "gnss pseudo_fix, cell no_data_call"


def test_an_ordinary_fix_is_believed_on_every_quarter_of_the_globe():
    fixes = [fix(lat, lng) for lat in (300000000, -300000000) for lng in (1060000000, -1060000000)]
    assert driver.run({"fixes": fixes}) == [True] * 4


# ---- what is reported


def test_satellites_come_first_with_the_time_of_their_fix():
    result = look((20, fix(), [300000000, 1070000000, 550]))
    assert result["reports"] == [
        {
            "source": "gnss",
            "lat": "29.5637010",
            "lng": "106.5512340",
            "system": "wgs84",
            "accuracy_m": 6,
            "time": FIX_MS,
        }
    ]
    assert result["asked"] == 0


def test_the_cell_comes_second_and_the_first_fix_after_it_is_reported_at_once():
    cell = [300000000, 1070000000, 550]
    result = look((20, None, cell), (40, None, cell), (60, fix(), cell), (80, fix(), cell))
    assert [report and report["source"] for report in result["reports"]] == ["cell", None, "gnss", None]
    assert result["asked"] == 1


def test_a_terminal_that_knows_no_place_says_so_with_the_reasons_after_its_receiver_had_time():
    steps = [(second, None, "no_data_call") for second in (0, 60, 149, 150, 200)]
    result = look(*steps)
    assert [report is not None for report in result["reports"]] == [False, False, False, True, False]
    assert result["reports"][3]["reason"] == "gnss no_fix, cell no_data_call"


def test_a_receiver_that_does_not_exist_is_a_reason_too():
    assert (
        look((200, "unsupported", [0, 0, 500]))["reports"][0]["reason"] == "gnss unsupported, cell no_place"
    )


def test_after_a_report_without_a_place_the_cell_is_tried_again_in_ten_minutes():
    cell = [300000000, 1070000000, 550]
    result = look((200, None, "timeout"), (799, None, cell), (800, None, cell))
    assert [report and report["source"] for report in result["reports"]] == ["none", None, "cell"]


def test_a_move_beyond_the_limit_is_reported_and_a_smaller_one_is_not():
    north_150 = fix(CHONGQING[0] + 150 * 90)
    north_210 = fix(CHONGQING[0] + 210 * 90)
    result = look((20, fix(), "x"), (40, north_150, "x"), (60, north_210, "x"), (80, north_150, "x"))
    assert [report is not None for report in result["reports"]] == [True, False, True, False]


def test_the_period_brings_a_report_without_any_move():
    result = look((20, fix(), "x"), (3619, fix(), "x"), (3620, fix(), "x"))
    assert [report is not None for report in result["reports"]] == [True, False, True]


def test_a_report_that_needs_the_cell_waits_until_the_welder_has_no_power():
    cell = [300000000, 1070000000, 550]
    result = look((200, None, cell), (230, None, cell), (260, None, cell), powered_s=[190, 250])
    assert [report and report["source"] for report in result["reports"]] == [None, None, "cell"]
    assert result["asked"] == 1


def test_a_fix_is_reported_while_the_welder_has_power():
    assert look((200, fix(), "x"), powered_s=[190, 250])["reports"][0]["source"] == "gnss"


def test_a_fix_that_is_lost_for_a_while_is_not_replaced_by_the_cell():
    cell = [300000000, 1070000000, 550]
    result = look((20, fix(), cell), (40, None, cell))
    assert result["reports"][1] is None


def test_the_satellites_tell_the_time_to_a_clock_nobody_has_set():
    assert look((20, fix(), "x"), (40, fix(), "x"), known=False)["told"] == [[FIX_MS, "gnss"]]
    assert look((20, fix(), "x"))["told"] == []


def test_the_map_system_of_the_configuration_is_applied_and_named_inside_china_only():
    inside = look((20, fix(), "x"), config={"coordinates": "gcj02"})["reports"][0]
    assert inside["system"] == "gcj02"
    assert inside["lat"] != "29.5637010"
    outside = look((20, fix(515000000, -1000000), "x"), config={"coordinates": "gcj02"})["reports"][0]
    assert (outside["system"], outside["lat"], outside["lng"]) == ("wgs84", "51.5000000", "-0.1000000")


# ---- distance


def haversine_m(here, there):
    """Return the distance on the sphere whose degree is as long as the firmware's."""
    radius = 0.011132 * 1e7 * 180 / math.pi
    lat1, lng1, lat2, lng2 = (math.radians(value / 1e7) for value in (*here, *there))
    part = (
        math.sin((lat2 - lat1) / 2) ** 2 + math.cos(lat1) * math.cos(lat2) * math.sin((lng2 - lng1) / 2) ** 2
    )
    return 2 * radius * math.asin(math.sqrt(part))


@settings(max_examples=200, deadline=None)
@given(
    st.integers(-800000000, 800000000),
    st.integers(-1800000000, 1800000000),
    st.integers(-100000, 100000),
    st.integers(-100000, 100000),
)
def test_distances_are_right_to_one_percent_also_across_the_date_line(micropython, lat, lng, north, east):
    there = [lat + north, (lng + east + 1800000000) % 3600000000 - 1800000000]
    metres = haversine_m((lat, lng), there)
    rows = [[[lat, lng], there, int(metres * 0.985) - 1], [[lat, lng], there, int(metres * 1.015) + 1]]
    rows = [row for row in rows if row[2] >= 0]
    result = driver.run({"beyond": rows})
    assert result == [True, False][-len(rows) :]
    assert micropython.call("position", {"beyond": rows}) == result


# ---- GCJ-02


def reference_gcj02(lat, lng):
    """The published formula in double precision and degrees."""
    x, y, pi = lng - 105.0, lat - 35.0, math.pi
    waves = (20 * math.sin(6 * x * pi) + 20 * math.sin(2 * x * pi)) * 2 / 3
    north = -100 + 2 * x + 3 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * math.sqrt(abs(x)) + waves
    north += (20 * math.sin(y * pi) + 40 * math.sin(y / 3 * pi)) * 2 / 3
    north += (160 * math.sin(y / 12 * pi) + 320 * math.sin(y * pi / 30)) * 2 / 3
    east = 300 + x + 2 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * math.sqrt(abs(x)) + waves
    east += (20 * math.sin(x * pi) + 40 * math.sin(x / 3 * pi)) * 2 / 3
    east += (150 * math.sin(x / 12 * pi) + 300 * math.sin(x / 30 * pi)) * 2 / 3
    axis, ee = 6378245.0, 0.00669342162296594323
    magic = 1 - ee * math.sin(math.radians(lat)) ** 2
    north = north * 180 / ((axis * (1 - ee)) / (magic * math.sqrt(magic)) * pi)
    east = east * 180 / (axis / math.sqrt(magic) * math.cos(math.radians(lat)) * pi)
    return lat + north, lng + east


def single(value):
    """Return a float rounded to 24 bits, as the ESP32 keeps it; other values as they are."""
    return struct.unpack("f", struct.pack("f", value))[0] if isinstance(value, float) else value


def in_single(operation):
    """Return the operation with its operands and its result in 24 bits; whole numbers keep to themselves."""

    def rounded(*operands):
        if any(isinstance(operand, float) for operand in operands) or operation in (
            math.sin,
            math.cos,
            math.sqrt,
        ):
            operands = [single(float(operand)) for operand in operands]
        return single(operation(*operands))

    return rounded


class Rounder(ast.NodeTransformer):
    """Turns each operator and each float literal into a call that rounds."""

    NAMES = {ast.Add: "_add", ast.Sub: "_sub", ast.Mult: "_mult", ast.Div: "_div"}

    def visit_BinOp(self, node):
        self.generic_visit(node)
        name = self.NAMES.get(type(node.op))
        return node if name is None else self._call(name, node.left, node.right)

    def visit_AugAssign(self, node):
        self.generic_visit(node)
        left = ast.Name(node.target.id, ast.Load())
        return ast.Assign([node.target], self._call(self.NAMES[type(node.op)], left, node.value))

    def visit_Constant(self, node):
        return self._call("_single", node) if isinstance(node.value, float) else node

    @staticmethod
    def _call(name, *arguments):
        return ast.Call(ast.Name(name, ast.Load()), list(arguments), [])


@pytest.fixture(scope="module")
def single_precision():
    """The firmware's own functions with every operation rounded to 24 bits."""
    tree = ast.parse((replay.FIRMWARE / "terminal" / "gcj02.py").read_text())
    wanted = ("is_in_china", "to_gcj02")
    tree.body = [
        part
        for part in tree.body
        if isinstance(part, ast.FunctionDef) and (part.name in wanted or part.name.startswith("gcj02"))
    ]
    names = {"_single": single, "pi": single(math.pi)}
    for name, operation in (("sin", math.sin), ("cos", math.cos), ("sqrt", math.sqrt)):
        names[name] = in_single(operation)
    names.update({name: in_single(operation) for name, operation in OPERATORS.items()})
    exec(compile(ast.fix_missing_locations(Rounder().visit(tree)), "gcj02", "exec"), names)
    return names


OPERATORS = {"_add": operator.add, "_sub": operator.sub, "_mult": operator.mul, "_div": operator.truediv}

# mainland China: corners of its box, its extremes, towns, and a grid between them
CORNERS = [(lat, lng) for lat in (181500000, 535600000) for lng in (734900000, 1350900000)]
EXTREMES = [(535600000, 1233000000), (181500000, 1095000000), (394500000, 734900000), (484000000, 1350900000)]
TOWNS = [
    CHONGQING,
    (399042000, 1164074000),
    (350000000, 1050000000),
    (438256000, 876168000),
    (200440000, 1101990000),
]
GRID = [
    (lat, lng)
    for lat in range(181500000, 535600000, 7919331)
    for lng in range(734900000, 1350900000, 7907117)
]


def distance_m(lat, here, there):
    """Return the distance of two places (degrees) near this latitude in metres."""
    north = (here[0] - there[0]) * 111320
    east = (here[1] - there[1]) * 111320 * math.cos(math.radians(lat))
    return math.hypot(north, east)


def test_the_offset_in_single_precision_lies_within_two_metres_of_the_reference(single_precision):
    worst = 0
    for lat_e7, lng_e7 in CORNERS + EXTREMES + TOWNS + GRID:
        found = [value / 1e7 for value in single_precision["to_gcj02"](lat_e7, lng_e7)]
        reference = reference_gcj02(lat_e7 / 1e7, lng_e7 / 1e7)
        worst = max(worst, distance_m(lat_e7 / 1e7, found, reference))
    assert worst < 0.2  # ten times better than asked, so that a worse sine of the chip's does no harm


def test_single_precision_is_really_emulated(single_precision):
    places = [(x / 7, y / 7) for x in range(-200, 200, 31) for y in range(-100, 100, 31)]
    for x, y in places:
        found = single_precision["gcj02_north"](single(x), single(y))
        assert found == single(found)
        assert found != gcj02.gcj02_north(x, y)


def test_the_offset_in_double_precision_is_the_reference_to_the_last_digit():
    for lat_e7, lng_e7 in CORNERS + EXTREMES + TOWNS:
        reference = reference_gcj02(lat_e7 / 1e7, lng_e7 / 1e7)
        found = gcj02.to_gcj02(lat_e7, lng_e7)
        assert abs(found[0] - reference[0] * 1e7) <= 1
        assert abs(found[1] - reference[1] * 1e7) <= 1


def test_micropython_reckons_the_same_offset(micropython):
    case = {"gcj02": [list(place) for place in CORNERS + EXTREMES + TOWNS + GRID[::37]]}
    assert micropython.call("position", case) == driver.run(case)


@pytest.mark.parametrize("place", [(515000000, -1000000), (356800000, 1396900000), (-337000000, 1511000000)])
def test_outside_china_nothing_is_moved(place):
    assert gcj02.to_gcj02(*place) == place


STEP = st.tuples(
    st.integers(0, 900),
    st.one_of(
        st.none(),
        st.just("timeout"),
        st.builds(
            fix, st.integers(295000000, 296000000), st.integers(1065000000, 1066000000), st.integers(0, 6000)
        ),
    ),
    st.one_of(st.just("no_data_call"), st.just([300000000, 1070000000, 550])),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(STEP, max_size=12), st.sampled_from(["wgs84", "gcj02"]))
def test_micropython_looks_around_alike(micropython, steps, system):
    now_s, rows = 0, []
    for passed_s, *rest in steps:
        now_s += passed_s
        rows.append([now_s, *rest])
    case = {"look": rows, "config": {"coordinates": system}}
    result = driver.run(case)
    assert micropython.call("position", case) == result
    silent_s = 0
    for (at_s, *_), report in zip(rows, result["reports"], strict=True):
        if report:
            silent_s = at_s
        assert at_s < 150 or at_s - silent_s < 3600
