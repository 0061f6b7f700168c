"""What is read only when the user says so."""

from __future__ import annotations

import pytest

from esoteric_drbg.errors import InvalidInputError
from esoteric_drbg.noise_sources.consent import SENSORS_VARIABLE, allow_sensor, network_targets, sensor_allowed


def test_no_sensor_is_allowed_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(SENSORS_VARIABLE, raising=False)
    assert not sensor_allowed("audio_thermal")
    monkeypatch.setenv(SENSORS_VARIABLE, "audio_thermal, camera_shot_noise")
    assert sensor_allowed("camera_shot_noise")
    assert not sensor_allowed("bluetooth_ble")
    assert not sensor_allowed("audio")


def test_naming_a_sensor_reaches_the_children(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SENSORS_VARIABLE, "audio_thermal")
    allow_sensor("bluetooth_ble")
    allow_sensor("bluetooth_ble")
    import os

    assert os.environ[SENSORS_VARIABLE] == "audio_thermal,bluetooth_ble"


@pytest.mark.parametrize(
    ("text", "targets"),
    [
        ("", []),
        (" , ", []),
        ("127.0.0.1:53", [("127.0.0.1", 53)]),
        ("[::1]:5353,host:7", [("::1", 5353), ("host", 7)]),
        ("host, ::1, [fe80::1]", [("host", 53), ("::1", 53), ("fe80::1", 53)]),
    ],
)
def test_targets(text: str, targets: list[tuple[str, int]]) -> None:
    assert network_targets(text, default_port=53) == targets


@pytest.mark.parametrize(
    "text", ["host", ":53", "host:0", "host:65536", "host:x", "host:-1", "[::1", "[::1]53", "[]:1", "a:\u0663"]
)
def test_bad_targets(text: str) -> None:
    with pytest.raises(InvalidInputError, match="expected HOST:PORT"):
        network_targets(text)
