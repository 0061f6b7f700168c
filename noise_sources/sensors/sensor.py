"""Sources that read a sensor: with consent, within a deadline, from a device that is open only during a read."""

from __future__ import annotations

import abc
import queue
import threading
import time
from array import array
from collections.abc import Callable, Generator, Iterable
from typing import ClassVar

from esoteric_drbg.errors import EsotericDRBGError, SourceReadError
from esoteric_drbg.kernels.process import Worker
from esoteric_drbg.kernels.process import join as wait_for
from esoteric_drbg.noise_sources.consent import SENSORS_VARIABLE, sensor_allowed
from esoteric_drbg.noise_sources.deadline import still_runs
from esoteric_drbg.noise_sources.source import Availability, NoiseSource

__all__ = ["Blocks", "SensorSource"]

#: Seconds a read waits, after its last value, for the device to be closed.
CLOSING_S = 1.0

#: Seconds that loading a library may take, once in a process, before the device's own time begins.
LOADING_S = 60.0

#: Raw values at full width, as the device delivers them; an empty block means that it has none yet.
Blocks = Generator[Iterable[int], None, None]


class SensorSource(NoiseSource):
    """A source that reads a sensor of this machine, and only if the user named it.

    A subclass defines :meth:`device_availability` and the generator :meth:`blocks`. The device is open only while
    values are read, so that no microphone or camera stays on between two seeds. A separate thread drives the device:
    whatever the driver does, a read ends at its deadline, or with an error ``stall_s`` seconds after the last value.

    Class attributes
    ----------------
    sensor : str
        The kind of sensor, as in "a microphone is read only when named".
    stall_s : float
        Seconds without a value after which a read fails; the opening of the device counts, the loading of its library
        does not.
    """

    sensor: ClassVar[str]
    stall_s: ClassVar[float] = 3.0

    def __init__(self, *, opt_in: bool = False) -> None:
        self._opt_in = opt_in
        self._reading: _Reading | None = None

    @abc.abstractmethod
    def device_availability(self) -> Availability:
        """Return whether library and device are there; called only after the user's consent."""

    def load(self) -> None:
        """Import what :meth:`blocks` needs: on a slow machine this takes seconds, which must not count as silence."""

    @abc.abstractmethod
    def blocks(self) -> Blocks:
        """Open the device, yield its values in blocks without end, and close it when the generator is closed.

        While the device is silent, yield an empty block at least every 100 ms, so that a read can end. Raise
        ``OSError`` if the device cannot be opened or has disappeared.
        """

    def availability(self) -> Availability:
        """Return whether the user named this sensor, and whether it is there."""
        if not (self._opt_in or sensor_allowed(self.name)):
            return Availability(
                False,
                f"opt-in: {self.sensor} is read only when named "
                f"(esoteric-drbg probe {self.name}, or {SENSORS_VARIABLE}={self.name})",
            )
        return self.device_availability()

    def read_raw(self, n_samples: int, *, deadline_s: float | None = None) -> bytes:
        """Return the next raw samples; fewer if ``deadline_s`` passes first."""
        return self.digitize(self.read_wide(n_samples, deadline_s=deadline_s))

    def read_wide(self, n_samples: int, *, deadline_s: float | None = None) -> array[int]:
        """Return the next raw values at full width; fewer if ``deadline_s`` passes first."""
        self.require_available()
        patience = self.stall_s if deadline_s is None else min(self.stall_s, deadline_s)
        if self._reading is not None and not self._reading.ended(patience):
            raise SourceReadError(f"{self.name}: the device is still busy with an earlier read")
        last = time.monotonic()
        until = None if deadline_s is None else last + deadline_s
        wide = array("Q")
        patience = LOADING_S + self.stall_s
        self._reading = _Reading(self.name, self.load, self.blocks)
        try:
            while len(wide) < n_samples:
                now = time.monotonic()
                left = last + patience - now
                if until is not None and now >= until:
                    break
                if left <= 0:
                    raise SourceReadError(f"{self.name}: the device gave no value for {patience:g} s")
                block = self._reading.next(left if until is None else min(left, until - now))
                if block is not None:
                    wide.extend(block)
                    last, patience = time.monotonic(), self.stall_s
        except OSError as error:
            raise SourceReadError(f"{self.name}: {error.strerror or error}") from None
        finally:
            self._reading.end()
        return wide[:n_samples]


class _Reading:
    """One read: the thread that drives the device, and the values that it has delivered."""

    def __init__(self, name: str, load: Callable[[], None], blocks: Callable[[], Blocks]) -> None:
        self._load = load
        self._blocks = blocks
        self._values: queue.SimpleQueue[list[int] | OSError | EsotericDRBGError] = queue.SimpleQueue()
        self._enough = threading.Event()
        self._thread = Worker(self._run, name=f"esoteric_drbg device {name}")
        self._thread.start()

    def next(self, timeout_s: float) -> list[int] | None:
        """Return the next block; None if none arrived in time."""
        try:
            block = self._values.get(timeout=timeout_s)
        except queue.Empty:
            return None
        if isinstance(block, Exception):
            raise block
        return block

    def end(self) -> None:
        """Make the thread close the device, and wait for that at most :data:`CLOSING_S` seconds."""
        self._enough.set()
        wait_for(self._thread, CLOSING_S)

    def ended(self, timeout_s: float = 0.0) -> bool:
        """Return whether the device is closed now or within ``timeout_s`` seconds."""
        return not still_runs(self._thread, timeout_s)

    def _run(self) -> None:
        blocks = self._blocks()
        try:
            self._load()
            self._values.put([])  # the wait for the device begins here
            for block in blocks:
                if self._enough.is_set():
                    return
                if values := list(block):
                    self._values.put(values)
            self._values.put(OSError("the device has ended"))
        except (OSError, EsotericDRBGError) as error:
            self._values.put(error.with_traceback(None))
        except Exception as error:
            self._values.put(OSError(f"{type(error).__name__}: {error}"))
        finally:
            try:
                blocks.close()
            except Exception as error:  # a device that has disappeared cannot be closed properly, either
                self._values.put(OSError(f"closing: {error}"))
