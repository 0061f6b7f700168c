"""Audio: the least significant bits of an open sound input."""

from __future__ import annotations

import math
import os
import sys
import time
from array import array
from typing import Any

from esoteric_drbg.errors import InvalidInputError
from esoteric_drbg.extras import missing
from esoteric_drbg.noise_sources.claims import Claim
from esoteric_drbg.noise_sources.info import SourceInfo
from esoteric_drbg.noise_sources.sensors.sensor import Blocks, SensorSource
from esoteric_drbg.noise_sources.source import Availability

__all__ = ["AUDIO_DEVICE_VARIABLE", "AUDIO_FORMAT_VARIABLE", "AUDIO_RATE_VARIABLE", "AudioThermalSource"]

#: Index of the input device, or part of its name, as ``python -m sounddevice`` lists them.
AUDIO_DEVICE_VARIABLE = "ESOTERIC_DRBG_AUDIO_DEVICE"
#: ``int16``, ``int24`` or ``int32``.
AUDIO_FORMAT_VARIABLE = "ESOTERIC_DRBG_AUDIO_FORMAT"
#: Samples per second.
AUDIO_RATE_VARIABLE = "ESOTERIC_DRBG_AUDIO_RATE"
#: Bytes of one sample in each format.
SAMPLE_BYTES = {"int16": 2, "int24": 3, "int32": 4}
#: Seconds of sound dropped after opening, while the input's coupling capacitors charge and its filters settle.
SETTLING_S = 0.1
#: Seconds of sound that the library buffers, so that a busy machine loses none.
LATENCY_S = 0.2
#: Seconds without a sample, after the first samples, until the stream is started again: ALSA's shared inputs stay
#: stopped after an overrun, which a busy machine causes.
RESTART_S = 0.5
#: Seconds between two looks for new samples.
POLL_S = 0.005


class AudioThermalSource(SensorSource):
    """Low 8 bits of each sample of one channel, as the converter gave it.

    The sound library neither dithers nor clips. It is asked for two channels if there are two, so that nothing mixes
    them; the first one is used.

    Parameters
    ----------
    device : int or str, optional
        Index or part of the name of an input; default ``ESOTERIC_DRBG_AUDIO_DEVICE``, else the system's default input.
    sample_format : str, optional
        ``int16`` (default), ``int24`` or ``int32``; default ``ESOTERIC_DRBG_AUDIO_FORMAT``. Ask for the converter's own
        width: the low bits of a wider format are zeros, and the health tests fail the source.
    rate : float, optional
        Samples per second; default ``ESOTERIC_DRBG_AUDIO_RATE``, else the device's own. Behind a sound server name the
        server's rate, or it resamples.
    opt_in : bool
        True if the user has agreed that the microphone is read.

    See docs/sources/audio_thermal.md.
    """

    info = SourceInfo(
        name="audio_thermal",
        description="Thermal noise of a sound input, lowest bits of its samples",
        category="sensor",
        physics=(
            "Johnson-Nyquist noise of the microphone's and input stage's resistances and shot noise in its first "
            "transistors reach the converter amplified; the lowest bits of a sample follow them."
        ),
        independence_group="audio_input",
        estimated_rate=4e3,
        platforms=("linux", "darwin", "win32"),
        claim=Claim(min_entropy=0.0, health_min_entropy=0.5),
        bounded=True,
        opt_in=True,
    )
    sensor = "a microphone"

    def __init__(
        self,
        *,
        device: int | str | None = None,
        sample_format: str | None = None,
        rate: float | None = None,
        opt_in: bool = False,
    ) -> None:
        super().__init__(opt_in=opt_in)
        self._device = device
        self._format = sample_format
        self._rate = rate

    def device_availability(self) -> Availability:
        """Return whether the sound library is installed and knows the input."""
        if reason := missing("sounddevice"):
            return Availability(False, reason)
        try:
            self._settings()
        except (OSError, InvalidInputError) as error:
            return Availability(False, str(error))
        return Availability(True)

    def blocks(self) -> Blocks:
        """Yield the samples, offset to unsigned: -2^(w-1) is 0, silence is 2^(w-1)."""
        sounddevice, device, info, sample_format, rate = self._settings()
        channels = min(2, int(info["max_input_channels"]))
        step = SAMPLE_BYTES[sample_format] * channels
        try:
            with sounddevice.RawInputStream(
                samplerate=rate,
                device=device,
                channels=channels,
                dtype=sample_format,
                latency=LATENCY_S,
                dither_off=True,
                clip_off=True,
            ) as stream:
                left, restart_at = round(SETTLING_S * rate), math.inf
                while True:
                    frames = stream.read_available
                    if not frames:
                        if time.monotonic() > restart_at:
                            stream.abort()
                            stream.start()
                            left, restart_at = round(SETTLING_S * rate), math.inf
                        time.sleep(POLL_S)
                        yield ()
                        continue
                    restart_at = time.monotonic() + RESTART_S
                    data, _ = stream.read(frames)
                    drop = min(left, frames)
                    left -= drop
                    yield samples_to_wide(bytes(data)[drop * step :], SAMPLE_BYTES[sample_format], channels)
        except sounddevice.PortAudioError as error:
            raise OSError(f"input {info['name']!r}: {error}") from None

    def _settings(self) -> tuple[Any, int | str | None, dict[str, Any], str, float]:
        """Return the sound library, the device and its properties, the sample format and the rate."""
        sample_format = self._format or os.environ.get(AUDIO_FORMAT_VARIABLE) or "int16"
        if sample_format not in SAMPLE_BYTES:
            raise InvalidInputError(f"sample format {sample_format!r}: expected int16, int24 or int32")
        rate = _rate(self._rate if self._rate is not None else os.environ.get(AUDIO_RATE_VARIABLE) or None)
        device = self._device
        if device is None and (named := os.environ.get(AUDIO_DEVICE_VARIABLE, "").strip()):
            device = int(named) if named.isascii() and named.isdigit() else named
        try:
            import sounddevice  # noqa: PLC0415 - an extra, loaded on consent only
        except OSError as error:
            raise OSError(f"{error}: install PortAudio (Debian: libportaudio2)") from None
        try:
            info = sounddevice.query_devices(device, "input")
        except (ValueError, sounddevice.PortAudioError) as error:
            if device is None:
                raise OSError("there is no sound input") from None
            raise OSError(f"no sound input {device!r}: {str(error).splitlines()[0]}") from None
        return sounddevice, device, info, sample_format, rate or float(info["default_samplerate"])


def _rate(value: float | str | None) -> float | None:
    """Return a rate in samples per second; None if there is none."""
    if value is None:
        return None
    try:
        rate = float(value)
    except ValueError:
        rate = math.nan
    if not 1000 <= rate <= 1_000_000:
        raise InvalidInputError(f"sample rate {value!r}: expected samples per second, such as 48000")
    return rate


def samples_to_wide(data: bytes, width: int, channels: int) -> array[int]:
    """Return the first channel's samples of interleaved native-endian PCM data, offset to unsigned.

    Parameters
    ----------
    data : bytes
        Whole frames.
    width : int
        Bytes per sample, 2 to 4.
    channels : int
        Samples per frame.

    Examples
    --------
    >>> list(samples_to_wide((-32768).to_bytes(2, sys.byteorder, signed=True), 2, 1))
    [0]
    """
    offset = 1 << (8 * width - 1)
    frame = width * channels
    return array(
        "Q",
        [
            int.from_bytes(data[at : at + width], sys.byteorder, signed=True) + offset
            for at in range(0, len(data) - frame + 1, frame)
        ],
    )
