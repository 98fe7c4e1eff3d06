"""What the benchmark promises: every figure by its name, the last line JSON, and bytes on the wire reckoned right."""

import json

import pytest

from host_tests.benchmarks import figures, signature, wire
from host_tests.sim import mqtt_packets

PROMISED = {
    "command_relay_p50_ms",
    "command_relay_p95_ms",
    "command_relay_max_ms",
    "command_wire_ms",
    "command_ratio_p50",
    "socket_p50_ms",
    "umqtt_p50_ms",
    "login_ms",
    "login_minimum_ms",
    "heap_after_b",
    "heap_growth_b",
    "heap_peak_b",
    "heap_block_b",
    "heartbeat_air_b",
    "month_air_b",
    "month_air_iotda_b",
    "staged_b",
    "resident_mpy_b",
    "loop_hold_max_ms",
    "flood_steps",
    "flood_step_cpu_ms",
    "provision_s",
    "provision_b",
    "provision_wire_s",
    "provision_again_s",
    "provision_again_b",
    "provision_again_wire_s",
    "upgrade_s",
    "upgrade_b",
    "upgrade_wire_s",
    "upgrade_ratio",
    "upgrade_diff_s",
    "upgrade_diff_b",
    "upgrade_diff_wire_s",
    "upgrade_diff_ratio",
    "signature_check_ms",
    "signature_check_32bit_ms",
    "signature_cryptography_ms",
}


def test_the_last_line_is_flat_json_with_every_figure_promised(capsys):
    figures.show(dict.fromkeys(figures.FIGURES, 7))
    shown = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert set(shown) >= PROMISED
    assert all(value == 7 for value in shown.values())


def test_a_figure_that_could_not_be_had_is_null_and_not_left_out(capsys):
    figures.show({"heap_block_b": None})
    assert capsys.readouterr().out.splitlines()[-1] == '{"heap_block_b": null}'


@pytest.mark.parametrize("size", [0, 100, 119, 120, 16000])
def test_the_record_counted_is_the_one_a_broker_sends(size):
    payload = bytes(size)
    assert wire.publish_packet(b"welder", payload) == mqtt_packets.publish(b"welder", payload, 1, False, 1)


def test_an_exchange_takes_ten_bit_times_a_byte():
    assert wire.milliseconds(bytes(1000), bytes(152)) == pytest.approx(100)
    notice, read, header, record, ok = wire.receive(b"abc", b"AT+CIPRXGET=2,0,1024")
    assert header == b"\r\n+CIPRXGET: 2,0,3,0\r\n"
    assert (notice, read, record, ok) == (b"\r\n+CIPRXGET: 1,0\r\n", b"AT+CIPRXGET=2,0,1024\r", b"abc", b"\r\nOK\r\n")


def test_a_figure_that_a_group_measures_has_its_place_in_the_table(tmp_path):
    assert set(signature.measure(tmp_path / "signature")) <= set(figures.FIGURES)


def test_the_bytes_of_a_bundle_take_ten_bit_times_each():
    assert wire.seconds(11520) == pytest.approx(1)


def test_percentiles_are_values_that_were_measured():
    values = list(range(100, 0, -1))
    assert figures.percentile(values, 0.95) == 96
    assert figures.percentile([5.0], 0.95) == 5.0
