"""Sources that time a network: they ask the targets that the user named, in turn and at a bounded rate.

Nothing is sent, and no socket is opened, before the user has named a target. Targets are IP addresses: a host name
would need the system's resolver, which neither keeps a deadline nor asks the servers that the user named.
"""

from __future__ import annotations

import abc
import ipaddress
import math
import os
import socket
import time
from array import array
from typing import ClassVar, NamedTuple

from esoteric_drbg.errors import InvalidInputError
from esoteric_drbg.kernels.process import ProcessLock
from esoteric_drbg.noise_sources.consent import network_targets
from esoteric_drbg.noise_sources.one_at_a_time import OneByOneSource, ticks_to_samples
from esoteric_drbg.noise_sources.source import Availability

__all__ = ["RATE_VARIABLE", "NetworkSource", "Target"]

#: Most queries or connections per second and target, for all sources of a process: on loopback, and elsewhere.
LOOPBACK_RATE = 1000.0
NETWORK_RATE = 100.0
#: Environment variable with another rate for every target, 1 to 100,000 per second.
RATE_VARIABLE = "ESOTERIC_DRBG_NETWORK_RATE"
MAX_RATE = 1e5
#: Seconds to wait for one answer.
ANSWER_SECONDS = 0.25
#: Attempts for one raw value; if all fail, the read fails.
ATTEMPTS = 3


class Target(NamedTuple):
    """A named target: IP address and port."""

    host: str
    port: int

    @property
    def family(self) -> socket.AddressFamily:
        """The address family for its socket."""
        return socket.AF_INET6 if ":" in self.host else socket.AF_INET

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class NetworkSource(OneByOneSource):
    """Ticks of the CPU's counter until a target that the user named has answered.

    A subclass defines :meth:`answer_ticks` and the names of its variables. A lost packet gives no raw value: the target
    is asked again, and after three attempts the read fails.

    Parameters
    ----------
    targets : str, optional
        ``HOST:PORT, ...``; by default those of the environment variable ``targets_variable``.
    rate : float, optional
        Most attempts per second and target, 1 to 100,000; by default ``ESOTERIC_DRBG_NETWORK_RATE``, or 1000 on
        loopback and 100 elsewhere.

    Raises
    ------
    InvalidInputError
        If an argument is malformed or a target is no IP address. A malformed variable makes the source unavailable.
    """

    targets_variable: ClassVar[str]
    default_port: ClassVar[int | None] = None

    def __init__(self, targets: str | None = None, *, rate: float | None = None) -> None:
        self._named = None if targets is None else _parse(targets, self.default_port)
        self._rate = None if rate is None else _checked_rate(rate)
        self._current: list[tuple[Target, float]] = []
        self._next = 0

    def targets(self) -> tuple[Target, ...]:
        """Return the named targets; none if the user named none."""
        if self._named is not None:
            return self._named
        return _parse(os.environ.get(self.targets_variable, ""), self.default_port)

    def rate(self, target: Target) -> float:
        """Return the most attempts per second for this target."""
        text = os.environ.get(RATE_VARIABLE, "")
        if self._rate is not None:
            return self._rate
        if text:
            return _checked_rate(text)
        return LOOPBACK_RATE if _is_loopback(target.host) else NETWORK_RATE

    def availability(self) -> Availability:
        """Return whether targets are named; no socket is opened."""
        try:
            targets = self.targets()
            for target in targets:
                self.rate(target)
        except InvalidInputError as error:
            return Availability(False, f"{error} ({self.targets_variable}, {RATE_VARIABLE})")
        if not targets:
            return Availability(
                False, f"opt-in: no packet is sent before targets are named ({self.targets_variable}=ADDRESS:PORT,...)"
            )
        return Availability(True)

    @abc.abstractmethod
    def answer_ticks(self, target: Target, patience: float) -> int:
        """Return the ticks until the target answered.

        Raises
        ------
        OSError
            ``TimeoutError`` if ``patience`` seconds passed first.
        """

    def open(self) -> None:
        """Read, for this read, which targets are named and how often each may be asked."""
        self._current = [(target, self.rate(target)) for target in self.targets()]

    def measure(self) -> int:
        """Return the ticks of the next answer, from the targets in turn; a lost attempt is repeated at most twice."""
        target, rate = self._current[self._next % len(self._current)]
        self._next += 1
        why = ""
        for _ in range(ATTEMPTS):
            self._wait_for_turn(target, rate)
            patience = self.patience(ANSWER_SECONDS)
            try:
                return self.answer_ticks(target, patience)
            except OSError as error:
                if isinstance(error, TimeoutError) and patience < ANSWER_SECONDS:
                    raise TimeoutError(0, f"{target}: the deadline passed") from None
                why = f"no answer in {ANSWER_SECONDS:g} s" if isinstance(error, TimeoutError) else str(error)
        raise OSError(0, f"{target}: {ATTEMPTS} attempts failed, the last one: {why}")

    def digitize(self, wide: array[int]) -> bytes:
        """Return (duration / counter step) mod 256 of each answer."""
        return ticks_to_samples(wide)

    def _wait_for_turn(self, target: Target, rate: float) -> None:
        """Sleep until the target may be asked again; raise ``TimeoutError`` if the deadline comes first."""
        pause = _reserve_turn(target, 1 / rate)
        granted = self.patience(pause)
        if granted > 0:
            time.sleep(granted)
        if granted < pause:
            raise TimeoutError(0, f"{target}: the deadline passed")


_turns_lock = ProcessLock()
#: When each target may be asked again, on the monotonic clock; it holds only targets that the user named.
_turns: dict[Target, float] = {}


def _reserve_turn(target: Target, interval: float) -> float:
    """Reserve the next turn at a target, shared by all sources; return the seconds until that turn."""
    lock = _turns_lock.take()
    try:
        now = time.monotonic()
        turn = max(now, _turns.get(target, now))
        _turns[target] = turn + interval
    finally:
        lock.release()
    return turn - now


def _parse(text: str, default_port: int | None) -> tuple[Target, ...]:
    targets = tuple(Target(host, port) for host, port in network_targets(text, default_port=default_port))
    for target in targets:
        try:
            ipaddress.ip_address(target.host)
        except ValueError:
            raise InvalidInputError(f"target {target.host!r}: name an IP address; nothing is looked up") from None
    return targets


def _is_loopback(host: str) -> bool:
    return ipaddress.ip_address(host).is_loopback


def _checked_rate(value: float | str) -> float:
    try:
        rate = float(value)
    except ValueError:
        rate = math.nan
    if not 1 <= rate <= MAX_RATE:
        raise InvalidInputError(f"rate {value!r}: expected 1 to {MAX_RATE:.0f} a second")
    return rate
