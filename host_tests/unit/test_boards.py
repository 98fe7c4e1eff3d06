"""Boards are data, in one form, and put nothing on a pin that the chip needs for itself."""

import ast

import pytest

from hanma import stage as staging

# Espressif's data sheets: "Strapping Pins", "Pin Overview" and the notes on in-package flash and PSRAM.
_CHIPS = {
    "esp32": {
        "pins": set(range(20)) | set(range(21, 24)) | set(range(25, 28)) | set(range(32, 40)),
        "input_only": set(range(34, 40)),
        "strapping": {0, 2, 5, 12, 15},
        "flash": set(range(6, 12)),
        "psram": {16, 17},
        "console": {1, 3},
        "adc": set(range(32, 40)),
    },
    "esp32s3": {
        "pins": set(range(22)) | set(range(26, 49)),
        "input_only": set(),
        "strapping": {0, 3, 45, 46},
        "flash": set(range(26, 33)),
        "psram": set(range(33, 38)),
        "console": {19, 20, 43, 44},  # USB and UART0
        "adc": set(range(1, 11)),
    },
}
_BOARD_KEYS = {"name", "relay", "readback", "welding", "led", "button", "modem", "voice"}
_ABOUT_KEYS = {"note", "chip", "psram", "image_libraries", "wired_by_vendor"}
_MODEM_KEYS = {"family", "uart", "baud", "tx", "rx", "flow", "supply", "key", "reset", "dtr"}


@pytest.fixture(params=staging.boards())
def board(request):
    """Each board's name."""
    return request.param


def _outputs(data):
    """Return {what: pin} of everything the chip drives."""
    relay, modem = data["relay"], data["modem"]
    pins = {f"relay {name}": relay.get(name) for name in ("pin", "data", "clock", "latch", "enable")}
    pins["led"] = (data["led"] or {}).get("pin")
    pins["modem tx"] = modem["tx"]
    pins.update({f"modem {name}": (modem[name] or {}).get("pin") for name in ("supply", "key", "reset", "dtr")})
    return {what: pin for what, pin in pins.items() if pin is not None}


def _inputs(data):
    """Return {what: pin} of everything the chip reads."""
    pins = {name: (data[name] or {}).get("pin") for name in ("readback", "welding", "button")}
    pins["modem rx"] = data["modem"]["rx"]
    return {what: pin for what, pin in pins.items() if pin is not None}


def problems(data, about):
    """Return what is wrong with a board's pins, as sentences."""
    chip = _CHIPS[about["chip"]]
    taken = {kind: chip[kind] for kind in ("strapping", "flash", "console")}
    if about["psram"]:
        taken["psram"] = chip["psram"]
    found, users = [], {}
    for what, pin in [*_outputs(data).items(), *_inputs(data).items()]:
        found += [f"{what} is not a pin: {pin}" for _ in [0] if pin not in chip["pins"]]
        found += [f"{what} shares pin {pin} with {users[pin]}" for _ in [0] if pin in users]
        users[pin] = what
        excused = set(about["wired_by_vendor"]) if what.startswith(("modem ", "button")) else set()
        found += [f"{what} is on a {kind} pin: {pin}" for kind, pins in taken.items() if pin in pins - excused]
    found += [f"{what} cannot be driven: {pin}" for what, pin in _outputs(data).items() if pin in chip["input_only"]]
    return found


def test_no_part_is_on_a_pin_the_chip_needs_for_itself(board):
    assert problems(staging.load_board(board), staging.about_board(board)) == []


def _spoilt(board, **changes):
    """Return a board's problems after changes, each "part.name" = value."""
    data, about = staging.load_board(board), staging.about_board(board)
    about["psram"] = changes.pop("psram", about["psram"])
    for path, value in changes.items():
        part, name = path.split("__")
        data[part][name] = value
    return problems(data, about)


@pytest.mark.parametrize(
    ("name", "changes", "said"),
    [
        ("unix", {"relay__pin": 12}, "strapping"),
        ("unix", {"relay__pin": 6}, "flash"),
        ("unix", {"led__pin": 1}, "console"),
        ("unix", {"relay__pin": 20}, "not a pin"),
        ("unix", {"relay__pin": 34}, "cannot be driven"),
        ("unix", {"relay__pin": 22}, "shares pin 22"),
        ("unix", {"led__pin": 16, "psram": True}, "psram"),
        ("lilygo_t_a7670", {"relay__pin": 12}, "shares pin 12"),
        ("lilygo_t_a7670", {"led__pin": 5}, "strapping"),
        ("lilygo_t_a7670", {"led__pin": 17}, "psram"),
        ("lilygo_t_relay_s3_simshield", {"relay__enable": 46}, "strapping"),
        ("lilygo_t_relay_s3_simshield", {"relay__data": 35}, "psram"),
        ("lilygo_t_relay_s3_simshield", {"relay__latch": 30}, "flash"),
        ("lilygo_t_relay_s3_simshield", {"modem__rx": 44}, "console"),
    ],
)
def test_a_wrong_pin_is_found(name, changes, said):
    assert any(said in problem for problem in _spoilt(name, **changes))


def test_only_the_vendors_wiring_excuses_a_strapping_pin_and_each_excuse_is_used(board):
    data, about = staging.load_board(board), staging.about_board(board)
    wired = {pin for what, pin in {**_outputs(data), **_inputs(data)}.items() if what.startswith(("modem ", "button"))}
    strapping = _CHIPS[about["chip"]]["strapping"]
    assert set(about["wired_by_vendor"]) == wired & strapping
    assert all(len(reason) > 10 for reason in about["wired_by_vendor"].values())


def test_a_board_has_every_part_in_the_one_form(board):
    data, about = staging.load_board(board), staging.about_board(board)
    assert set(data) == _BOARD_KEYS
    assert set(about) == _ABOUT_KEYS
    assert set(data["modem"]) == _MODEM_KEYS
    assert data["name"] == board
    assert data["modem"]["family"] in (*staging.DIALECTS, staging.AUTO)
    assert data["voice"] in ("modem_tts", None)


def test_a_relay_is_driven_by_a_known_driver_with_what_it_needs(board):
    relay = staging.load_board(board)["relay"]
    needs = {"gpio": {"pin", "hold"}, "shift595": {"data", "clock", "latch", "enable", "output", "outputs", "rest"}}
    assert set(relay) == needs[relay["driver"]] | {"driver", "active", "contact"}
    assert relay["active"] in (0, 1)
    if relay["driver"] == "shift595":
        assert 0 <= relay["output"] < relay["outputs"]
        assert not relay["rest"] >> relay["output"] & 1


def test_a_normally_closed_contact_needs_a_flag_that_says_so(board):
    data, about = staging.load_board(board), staging.about_board(board)
    assert data["relay"]["contact"] in ("normally_open", "normally_closed")
    if data["relay"]["contact"] == "normally_closed":
        assert about["powered_without_terminal"] is True


def test_a_welding_sense_is_one_the_chip_can_read(board):
    welding, chip = staging.load_board(board)["welding"], _CHIPS[staging.about_board(board)["chip"]]
    if welding:
        assert welding["kind"] in ("adc", "gpio")
        assert welding["kind"] != "adc" or welding["pin"] in chip["adc"]


def test_a_lamp_behind_the_shift_register_is_not_the_relay(board):
    data = staging.load_board(board)
    if "output" in (data["led"] or {}):
        assert data["relay"]["driver"] == "shift595"
        assert data["led"]["output"] != data["relay"]["output"]


def test_a_board_file_holds_two_literals_and_nothing_that_runs(board):
    tree = ast.parse(staging.board_file(board).read_text(encoding="utf-8"))
    docstring, *rest = tree.body
    assert isinstance(docstring.value, ast.Constant)
    assert [ast.unparse(node.targets[0]) for node in rest] == ["BOARD", "ABOUT"]
    assert all(ast.literal_eval(node.value) for node in rest)


def test_each_figure_of_a_bought_board_names_its_source(board):
    if board == "unix":
        return
    lines = staging.board_file(board).read_text(encoding="utf-8").splitlines()
    figures = [(number, line) for number, line in enumerate(lines) if _is_pin(line)]
    assert len(figures) >= 8
    for number, line in figures:
        assert "#" in line or lines[number - 1].lstrip().startswith("#"), f"no source: {line}"


def _is_pin(line):
    """Return whether a line gives a pin its number."""
    code = line.partition("#")[0]
    return any(f'"{name}": ' in code for name in ("pin", "data", "clock", "latch", "enable", "tx", "rx")) and any(
        character.isdigit() for character in code
    )
