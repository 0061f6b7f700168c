"""Noise sources of the tests: healthy, scripted, slow, forking. What they return is never entropy.

Those that break every promise are in ``hostile``.
"""

from __future__ import annotations

import hashlib
import os
import random
import threading
from collections.abc import Callable
from typing import Any

from esoteric_drbg.noise_sources import Availability, Claim, NoiseSource, SourceInfo
from esoteric_drbg.noise_sources.evidence import measured

#: A claim that is credited on every machine.
CREDITED = Claim(min_entropy=4.0, evidence=measured(8.0))


def simulated(name: str = "simulated", **values: Any) -> SourceInfo:
    """Return the info of a source that a test makes; ``values`` are other than usual."""
    usual: dict[str, Any] = {
        "description": "simulated",
        "category": "system",
        "physics": "none",
        "independence_group": "simulated",
        "estimated_rate": 1e6,
    }
    return SourceInfo(name=name, **(usual | values))


def stream(label: str, n: int) -> bytes:
    """Return bytes that look like noise and are known. Never entropy."""
    return hashlib.shake_256(label.encode()).digest(n)


class Fake(NoiseSource):
    """A source that does what it promises, and whose samples a test makes.

    Parameters
    ----------
    make : callable, optional
        Returns so many samples, or raises; by default those of a seeded generator.
    reason : str
        Why the source is not available; empty where it is.
    values
        What ``info`` has other than the class.

    Attributes
    ----------
    reads, samples : int
        How often it was read, and how many samples were asked for in all.
    """

    info = simulated()

    def __init__(self, make: Callable[[int], bytes] | None = None, *, reason: str = "", **values: Any) -> None:
        self.info = self.info.replace(**values)
        self.make = make or random.Random(1).randbytes
        self.reason = reason
        self.reads = self.samples = 0

    def availability(self) -> Availability:
        return Availability(not self.reason, self.reason)

    def read_raw(self, n_samples: int, *, deadline_s: float | None = None) -> bytes:
        self.reads += 1
        self.samples += n_samples
        return self.make(n_samples)


class ForkingSource(Fake):
    """A plug-in source that forks in the middle of a read."""

    info = simulated("forking", claim=CREDITED, bounded=True)

    def __init__(self) -> None:
        super().__init__(os.urandom)
        self.forks = False
        self.child = -1

    def read_raw(self, n_samples: int, *, deadline_s: float | None = None) -> bytes:
        if self.forks:
            self.forks = False
            self.child = os.fork()
        return super().read_raw(n_samples)


class SlowSource(Fake):
    """A source whose reads end when a test says so: ``reading`` is set by a read, which waits for ``leave``."""

    info = simulated("slow", claim=CREDITED, bounded=True)

    def __init__(self, make: Callable[[int], bytes] | None = None, **values: Any) -> None:
        super().__init__(make or os.urandom, **values)
        self.reading, self.leave = threading.Event(), threading.Event()
        self.leave.set()

    def read_raw(self, n_samples: int, *, deadline_s: float | None = None) -> bytes:
        if not self.leave.is_set():
            self.reading.set()
            self.leave.wait(60)
        return super().read_raw(n_samples)


def our_threads() -> set[threading.Thread]:
    """Return the threads of the package that run. Those of other tests may end meanwhile: ask which are new."""
    return {thread for thread in threading.enumerate() if thread.name.startswith("esoteric_drbg")}
