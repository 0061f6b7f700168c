"""Camera: the least significant bits of single pixels of uncompressed frames."""

from __future__ import annotations

import os
import stat
import sys
from array import array
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from esoteric_drbg.extras import missing
from esoteric_drbg.noise_sources.claims import Claim
from esoteric_drbg.noise_sources.info import SourceInfo
from esoteric_drbg.noise_sources.sensors.sensor import Blocks, SensorSource
from esoteric_drbg.noise_sources.source import Availability

__all__ = ["CAMERA_VARIABLE", "CameraShotNoiseSource"]

#: Path of the camera.
CAMERA_VARIABLE = "ESOTERIC_DRBG_CAMERA"
#: Distance of two pixels in both directions: demosaicing and noise filters mix neighbourhoods of some 5 to 7 pixels.
SPACING = 8
#: Frames dropped after opening, while exposure and gain settle.
SETTLING_FRAMES = 4


class Layout(NamedTuple):
    """Where the luma of a pixel is in a frame: byte ``first + pixel * step``, ``width`` bytes, little endian."""

    first: int
    step: int
    width: int
    #: Bytes of a frame for each 2 x 2 pixels.
    bytes_per_4: int


#: Uncompressed formats that store the luma (or single sensor pixel) as a separate number.
LAYOUTS: Mapping[str, Layout] = {
    "yuyv422": Layout(0, 2, 1, 8),
    "yvyu422": Layout(0, 2, 1, 8),
    "uyvy422": Layout(1, 2, 1, 8),
    "yuv420p": Layout(0, 1, 1, 6),
    "yuv422p": Layout(0, 1, 1, 8),
    "nv12": Layout(0, 1, 1, 6),
    "nv21": Layout(0, 1, 1, 6),
    "gray": Layout(0, 1, 1, 4),
    "gray10le": Layout(0, 2, 2, 8),
    "gray12le": Layout(0, 2, 2, 8),
    "gray16le": Layout(0, 2, 2, 8),
    **{f"bayer_{order}8": Layout(0, 1, 1, 4) for order in ("bggr", "rggb", "gbrg", "grbg")},
    **{f"bayer_{order}16le": Layout(0, 2, 2, 8) for order in ("bggr", "rggb", "gbrg", "grbg")},
}


class CameraShotNoiseSource(SensorSource):
    """Low 2 bits of the luma of every eighth pixel of every eighth row, frame after frame, as the driver hands it over.

    Parameters
    ----------
    device : str or path, optional
        The camera; default ``ESOTERIC_DRBG_CAMERA``, else the first ``/dev/video*``.
    container_format : str
        The format for PyAV: ``v4l2``, or that of a recording of raw frames.
    options : mapping of str to str, optional
        Options of the format, for example ``{"input_format": "yuyv422", "video_size": "640x480"}``.
    opt_in : bool
        True if the user has agreed that the camera is read.

    See docs/sources/camera_shot_noise.md.
    """

    info = SourceInfo(
        name="camera_shot_noise",
        description="Shot and read noise of a camera's pixels, lowest bits of luma",
        category="sensor",
        physics=(
            "Photons and dark-current electrons arrive in a pixel as a Poisson process; reset and amplifier noise are "
            "added as it is read out. The lowest bits of a pixel follow them, the higher ones the scene."
        ),
        independence_group="camera",
        estimated_rate=1e3,
        platforms=("linux",),
        symbol_bits=2,
        claim=Claim(min_entropy=0.0, symbol_bits=2, health_min_entropy=0.125),
        bounded=True,
        opt_in=True,
    )
    sensor = "a camera"
    stall_s = 6.0

    def __init__(
        self,
        *,
        device: str | os.PathLike[str] | None = None,
        container_format: str = "v4l2",
        options: Mapping[str, str] | None = None,
        opt_in: bool = False,
    ) -> None:
        super().__init__(opt_in=opt_in)
        self._device = device
        self._container_format = container_format
        self._options = dict(options or {})

    def device_availability(self) -> Availability:
        """Return whether PyAV is installed and there is a camera that this user may open."""
        if reason := missing("av"):
            return Availability(False, reason)
        if self._container_format == "v4l2" and not sys.platform.startswith("linux"):
            return Availability(False, f"written for Linux's Video4Linux2; this is {sys.platform}")
        path = self._path()
        if path is None:
            return Availability(False, "there is no camera: no /dev/video*")
        try:
            mode = path.stat().st_mode
        except OSError as error:
            return Availability(False, f"camera {path}: {error.strerror}")
        if self._container_format == "v4l2" and not stat.S_ISCHR(mode):
            return Availability(False, f"camera {path} is not a device")
        if not os.access(path, os.R_OK):
            return Availability(False, f"no permission to read {path} (Debian: group video)")
        return Availability(True)

    def load(self) -> None:
        """Import PyAV."""
        import av  # noqa: F401, PLC0415 - an extra, loaded on consent only

    def blocks(self) -> Blocks:
        """Yield, for each frame, the luma of the chosen pixels at full width, row by row."""
        import av  # noqa: PLC0415

        path = self._path()
        if path is None:
            raise OSError("there is no camera")
        try:
            with av.open(str(path), format=self._container_format, options=self._options) as container:
                stream = container.streams.video[0]
                context = stream.codec_context
                layout = LAYOUTS.get(context.pix_fmt or "")
                if context.name != "rawvideo" or layout is None:
                    kind = context.pix_fmt if context.name == "rawvideo" else context.name
                    raise OSError(f"camera {path} gives {kind} frames: only uncompressed luma is raw noise")
                drop = SETTLING_FRAMES
                for packet in container.demux(stream):
                    if packet.size and drop:
                        drop -= 1
                        yield ()
                    elif packet.size:
                        yield pixels(bytes(packet), context.width, context.height, layout)
        except av.FFmpegError as error:
            raise OSError(f"camera {path}: {error.strerror}") from None

    def _path(self) -> Path | None:
        named = self._device or os.environ.get(CAMERA_VARIABLE, "").strip()
        if named:
            return Path(named)
        cameras = [path for path in Path("/dev").glob("video*") if path.name[5:].isdigit()]
        return min(cameras, key=lambda path: int(path.name[5:]), default=None)


def pixels(frame: bytes, width: int, height: int, layout: Layout) -> array[int]:
    """Return the luma of every eighth pixel of every eighth row of one uncompressed frame.

    Raises
    ------
    OSError
        If the frame's length does not match its format: it is torn or padded.

    Examples
    --------
    >>> list(pixels(bytes(range(64)), 16, 4, LAYOUTS["gray"]))
    [0, 8]
    """
    if len(frame) != width * height * layout.bytes_per_4 // 4:
        raise OSError(f"a frame of {width} x {height} came with {len(frame)} bytes")
    luma = array("Q")
    row_bytes = width * layout.step
    for row in range(0, height, SPACING):
        line = frame[row * row_bytes : (row + 1) * row_bytes]
        columns = range(layout.first, row_bytes, SPACING * layout.step)
        if layout.width == 1:
            luma.extend(line[columns.start :: columns.step])
        else:
            luma.extend(int.from_bytes(line[at : at + layout.width], "little") for at in columns)
    return luma
