"""Noise sources that lie, fail and misbehave in every way that Python allows. What they return holds a known secret."""

from __future__ import annotations

import asyncio
import base64
import ctypes
import mmap
import threading
import time
from array import array
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from fakes import Fake, simulated, stream

from esoteric_drbg.noise_sources import Availability, Claim, Evidence, NoiseSource

EVIDENCE = Evidence(
    dataset="d",
    date="2026-01-01",
    machine_class="m",
    assessed=8.0,
    method="by construction",
    architecture="any",
)


#: What the hostile sources return over and over; the symbols of a narrow source are made of it.
SECRET = stream("secret", 1 << 16)


class Healthy(Fake):
    """A source that does what it promises."""

    info = simulated(
        "healthy",
        independence_group="healthy",
        estimated_rate=1e3,
        claim=Claim(min_entropy=4.0, evidence=EVIDENCE),
    )

    def __init__(self, **values: Any) -> None:
        super().__init__(lambda n: stream(f"healthy {self.reads}", n), **values)


class Liar(bytes):
    """Bytes that say other things of themselves than what they are."""

    def __len__(self) -> int:
        return 80

    def __iter__(self) -> Iterator[int]:
        return iter(range(80))

    def __buffer__(self, _flags: int) -> memoryview:
        return memoryview(SECRET)


class MuteError(Exception):
    """An exception that cannot be printed."""

    def __str__(self) -> str:
        raise RuntimeError(SECRET.hex())

    __repr__ = __str__


class TellingError(Exception):
    """An exception made of samples in every one of its attributes."""

    def __str__(self) -> str:
        return SECRET.hex()


def deep() -> None:
    deep()


def raising(error: Callable[[], BaseException]) -> Callable[[int], Any]:
    def read(_n: int) -> Any:
        raise error()

    return read


def late(n: int) -> Any:
    """Return a buffer that a thread goes on writing into."""
    buffer = bytearray(SECRET[:n])

    def write() -> None:
        until = time.monotonic() + 1.0
        while time.monotonic() < until:
            buffer[:] = bytes(len(buffer))
            time.sleep(0.001)

    threading.Thread(target=write, daemon=True).start()
    return memoryview(buffer)


def released(n: int) -> memoryview:
    view = memoryview(SECRET[:n])
    view.release()
    return view


def mapped(n: int) -> Any:
    shared = mmap.mmap(-1, n)
    shared.write(SECRET[:n])
    return shared


#: What ``read_raw`` does, by name; each is a fault.
READS: dict[str, Callable[[int], Any]] = {
    "list": lambda n: list(SECRET[:n]),
    "tuple": lambda n: tuple(SECRET[:n]),
    "str": lambda n: SECRET[:n].decode("latin-1"),
    "int": lambda n: int.from_bytes(SECRET[:n], "big"),
    "none": lambda n: None,
    "generator": lambda n: (value for value in SECRET[:n]),
    "liar": lambda n: Liar(SECRET[:10]),
    "subclass": lambda n: type("Sub", (bytes,), {})(SECRET[:n]),
    "named after samples": lambda n: type("S" + SECRET[:8].hex(), (), {})(),
    "signed": lambda n: array("b", bytes(n)),
    "wide items": lambda n: array("Q", SECRET[:n]),
    "wide array": lambda n: np.frombuffer(SECRET[: 8 * n], dtype=np.uint64),
    "two dimensions": lambda n: np.frombuffer(SECRET[:n], dtype=np.uint8).reshape(1, n),
    "strided": lambda n: memoryview(SECRET[: 2 * n])[::2],
    "booleans": lambda n: np.ones(n, dtype=np.bool_),
    "ctypes": lambda n: (ctypes.c_ubyte * n).from_buffer_copy(SECRET[:n]),
    "mapped": mapped,
    "released": released,
    "short": lambda n: SECRET[: n - 1],
    "long": lambda n: SECRET[: n + 1],
    "empty": lambda n: b"",
    "SystemExit": raising(lambda: SystemExit(SECRET.hex())),
    "GeneratorExit": raising(lambda: GeneratorExit(SECRET.hex())),
    "KeyboardInterrupt": raising(lambda: KeyboardInterrupt(SECRET.hex())),
    "CancelledError": raising(lambda: asyncio.CancelledError(SECRET.hex())),
    "BaseException": raising(lambda: BaseException(SECRET)),
    "MemoryError": raising(lambda: MemoryError(SECRET)),
    "StopIteration": raising(lambda: StopIteration(SECRET)),
    "RecursionError": lambda n: deep(),
    "group": raising(lambda: BaseExceptionGroup(SECRET.hex(), [SystemExit(SECRET.hex())])),
    "mute": raising(MuteError),
    "telling": raising(lambda: TellingError(SECRET)),
    "of our family": raising(lambda: errors_of(SECRET)),
    "made class": raising(lambda: type("E" + SECRET[:8].hex(), (Exception,), {})(SECRET)),
}


def errors_of(data: bytes) -> BaseException:
    from esoteric_drbg.errors import SourceReadError

    return SourceReadError(data.hex())


class Pair(tuple[Any, ...]):
    """A tuple that is no Availability."""


#: What ``availability`` does, by name; each means that the source is not available.
ANSWERS: dict[str, Callable[[], Any]] = {
    "none": lambda: None,
    "number": lambda: 1,
    "true": lambda: True,
    "text": lambda: "yes",
    "long tuple": lambda: (True, "", SECRET.hex()),
    "tuple subclass": lambda: Pair((True, "")),
    "not a bool": lambda: Availability("yes"),  # type: ignore[arg-type]
    "no text": lambda: Availability(False, SECRET),  # type: ignore[arg-type]
    "SystemExit": lambda: raising(lambda: SystemExit(SECRET.hex()))(0),
    "mute": lambda: raising(MuteError)(0),
    "telling": lambda: raising(lambda: TellingError(SECRET))(0),
    "RecursionError": deep,
}


class Hostile(NoiseSource):
    """Works for ``good`` reads, then does what ``READS`` says; answers as ``ANSWERS`` says."""

    info = simulated(
        "hostile",
        independence_group="hostile",
        estimated_rate=1e12,
        bounded=True,
        claim=Claim(min_entropy=4.0, evidence=EVIDENCE),
    )

    def __init__(self, read: str = "", answer: str = "", good: int = 0) -> None:
        self.read, self.answer, self.good = read, answer, good
        self.reads = 0
        self.threads: set[int] = set()

    def availability(self) -> Any:
        return ANSWERS[self.answer]() if self.answer else Availability(True)

    def read_raw(self, n_samples: int, *, deadline_s: float | None = None) -> Any:
        self.reads += 1
        self.threads.add(threading.get_ident())
        if self.reads <= self.good or not self.read:
            return stream(f"hostile {self.reads}", n_samples)
        return READS[self.read](n_samples)


def shown(text: str) -> list[str]:
    """Return the ways in which a text shows 6 or more consecutive bytes of the secret, none if all is well."""
    text = text.lower()
    found = []
    for begin in range(64):
        part = SECRET[begin : begin + 6]
        forms = {
            "hex": part.hex(),
            "repr": repr(part)[2:-1],
            "list": ", ".join(map(str, part)),
            "latin-1": part.decode("latin-1"),
            "base64": base64.b64encode(SECRET[begin : begin + 9]).decode(),
            "int": str(int.from_bytes(SECRET[begin : begin + 24], "big")),
        }
        found += [label for label, form in forms.items() if form.lower() in text]
    return found
