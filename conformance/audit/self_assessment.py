"""The self-assessment of a source on this machine, in a quiet moment and in a loaded one, for the machine profile.

All ten estimators of SP 800-90B 6.3 run on samples and bitstring, on at least 50,000 samples of each moment if the
source is fast enough. Seeding credits half of the lowest estimate, at most the shipped claim
(:mod:`esoteric_drbg.seeding.credit`).
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

import attrs

from esoteric_drbg.conformance.documents import Document
from esoteric_drbg.conformance.entropy.non_iid import assess_non_iid
from esoteric_drbg.errors import SourceReadError
from esoteric_drbg.noise_sources import NoiseSource
from esoteric_drbg.noise_sources.lowest_estimate import lowest_estimate
from esoteric_drbg.noise_sources.machine import machine_facts
from esoteric_drbg.progress import Progress, silent
from esoteric_drbg.seeding.credit import ASSESSED_SHARE, assessed_here, description_of_machine
from esoteric_drbg.seeding.gate import TIMES, guarded, repeat
from esoteric_drbg.version import __version__

__all__ = ["SAMPLES", "SelfAssessment", "expected_seconds", "neighbours", "self_assess", "to_be_assessed"]

#: Samples of each moment, and the fewest that are accepted from a slow source.
SAMPLES = 50_000
FEWEST = 10_000
#: Most seconds for reading the samples of one moment.
MOMENT_S = 15.0
#: Samples of one read, as in seeding.
_READ = 1000
#: Samples for a first check of whether the shipped work per sample is enough.
_LOOK = 8192
#: Most processes that load the machine, the bytes that each streams through, and the seconds after which each ends.
_MOST_NEIGHBOURS = 16
_STREAMED = 64 << 20
_NEIGHBOUR_S = 120


#: Streams memory until its standard input ends or its time is over, so it does not outlive its parent.
_NEIGHBOUR = f"""
import select, sys, time
one, other = bytearray({_STREAMED}), bytearray({_STREAMED})
until = time.monotonic() + {_NEIGHBOUR_S}
print("streams", flush=True)
while time.monotonic() < until and not select.select([sys.stdin], [], [], 0)[0]:
    one[:] = other
    other[:] = one
"""


@attrs.frozen(kw_only=True)
class SelfAssessment(Document):
    """Result of :func:`self_assess`.

    Attributes
    ----------
    name : str
        The source.
    h_quiet, h_loaded : float
        Lowest estimate of each moment, in bits per sample.
    h_lowest : float
        The lower of the two.
    decided_by : tuple of str
        Moment, data set and estimator of the lowest estimate.
    samples_quiet, samples_loaded : int
        Samples of each moment.
    neighbours : int
        Number of processes that loaded the machine.
    parameters, machine : dict
        Parameters of the source, and facts of the machine, for which the figures hold.
    symbols_per_second : float
        Rate in the quiet moment.
    package, date : str
        Version of this package, and when the self-assessment ended (ISO 8601, UTC).
    """

    name: str
    h_quiet: float
    h_loaded: float
    h_lowest: float
    decided_by: tuple[str, ...]
    samples_quiet: int
    samples_loaded: int
    neighbours: int
    parameters: dict[str, Any]
    machine: dict[str, Any]
    symbols_per_second: float
    package: str
    date: str

    @property
    def limit(self) -> float:
        """Half of the lowest estimate, in bits per sample; seeding credits this or the claim, whichever is lower."""
        return ASSESSED_SHARE * self.h_lowest

    def as_dict(self) -> dict[str, Any]:
        """Return the record that the machine profile keeps."""
        return {name: value for name, value in super().as_dict().items() if name != "name"}


def to_be_assessed(sources: Iterable[NoiseSource]) -> list[NoiseSource]:
    """Return the available sources whose claim has neither evidence nor a stored self-assessment on this machine.

    Neither sources without a claim, which have no credit, nor claims by an operator's certificate need an assessment.
    """
    facts = machine_facts()
    return [
        source
        for source in sources
        if source.claim.credit > 0
        and not any(evidence.certificate for evidence in source.claim.all_evidence)
        and source.claim.fits(facts)
        and source.availability().available
        and assessed_here(source, facts) is None
    ]


def expected_seconds(source: NoiseSource, samples: int = SAMPLES) -> float:
    """Return the approximate seconds that a self-assessment takes."""
    parts = 2 if hasattr(source, "durations_only") else 1
    counting = 12.0 if machine_facts().kernels == "reference" else 0.3
    return parts * 2 * (min(MOMENT_S, samples / source.estimated_rate) + counting)


def self_assess(
    source: NoiseSource,
    *,
    samples: int = SAMPLES,
    moment_s: float = MOMENT_S,
    threads: int | None = None,
    progress: Progress | None = None,
) -> SelfAssessment:
    """Read and assess a source on the machine as it is, and again while processes stream memory on every CPU.

    A source that shows too little entropy with its shipped work gets more work per sample, as in the gate, and the
    parameters record it. If a source combines durations with values that every process can read, the durations alone
    are assessed, too.

    Parameters
    ----------
    source : NoiseSource
        An available source.
    samples : int
        Samples of each moment.
    moment_s : float
        Seconds after which a slow source's moment ends with the samples read so far, at least 10,000.
    threads : int, optional
        Number of threads for the estimators.
    progress : callable, optional
        ``progress(done, total, step)``.

    Raises
    ------
    SourceError
        If the source cannot be read, or is too slow.
    """
    source.require_available()
    report = progress or silent
    variants = [source]
    if hasattr(source, "durations_only"):
        variants.append(type(source)(durations_only=True))  # type: ignore[call-arg]
    _choose_work(source, min(samples, _LOOK))
    began = time.perf_counter()
    quiet = _moment("quiet", variants, samples, moment_s, report)
    rate = sum(map(len, quiet)) / (time.perf_counter() - began)
    with neighbours() as crowd:
        loaded = _moment("loaded", variants, samples, moment_s, report)
    found: list[tuple[float, tuple[str, ...]]] = []
    for moment, recordings in (("quiet", quiet), ("loaded", loaded)):
        for symbols in recordings:
            report(len(found), 2 * len(variants), f"{moment}: estimators")
            assessment = assess_non_iid(symbols, source.symbol_bits, threads=threads)
            found.append((assessment.h_assessed, (moment, *assessment.decided_by)))
    lowest = {moment: min(value for value, by in found if by[0] == moment) for moment in ("quiet", "loaded")}
    h_lowest, decided_by = min(found)
    return SelfAssessment(
        name=source.name,
        h_quiet=lowest["quiet"],
        h_loaded=lowest["loaded"],
        h_lowest=h_lowest,
        decided_by=decided_by,
        samples_quiet=min(map(len, quiet)),
        samples_loaded=min(map(len, loaded)),
        neighbours=crowd,
        parameters=dict(source.parameters()),
        machine=description_of_machine(),
        symbols_per_second=rate,
        package=__version__,
        date=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _moment(moment: str, variants: list[NoiseSource], samples: int, seconds: float, report: Progress) -> list[bytes]:
    """Return the samples of one moment, of a source and of its durations alone."""
    recordings = []
    for variant in variants:
        recordings.append(_read(variant, samples, seconds, lambda done: report(done, samples, moment)))
    return recordings


def _choose_work(source: NoiseSource, n: int) -> None:
    """Raise the work per sample until the source shows twice the min-entropy that the health tests can guard."""
    if not getattr(source, "adaptable", False):
        return
    for times in TIMES:
        repeat(source, times)
        found = lowest_estimate(source.read_exactly(n), source.symbol_bits)
        if not guarded(ASSESSED_SHARE * found.min_entropy / 2, source.symbol_bits):
            return
    repeat(source, 1)


def _read(source: NoiseSource, samples: int, seconds: float, report: Callable[[int], object]) -> bytes:
    """Return `samples` samples, or those read in time."""
    until = time.monotonic() + seconds
    symbols = bytearray()
    while len(symbols) < samples:
        if time.monotonic() > until:
            if len(symbols) >= min(samples, FEWEST):
                break
            if time.monotonic() > until + 2 * seconds:
                raise SourceReadError(
                    f"{source.name}: {len(symbols):,} symbols in {3 * seconds:g} s are too few for an assessment"
                )
        symbols += source.read_exactly(min(_READ, samples - len(symbols)))
        report(len(symbols))
    return bytes(symbols)


@contextlib.contextmanager
def neighbours(limit: int = _MOST_NEIGHBOURS) -> Iterator[int]:
    """Run a process that streams memory on each CPU until the block ends; yield the number of processes.

    Examples
    --------
    >>> with neighbours(1) as crowd:
    ...     print(crowd)
    1
    """
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    command = [sys.executable, "-I", "-S", "-c", _NEIGHBOUR]
    crowd: list[subprocess.Popen[bytes]] = []
    try:
        for _ in range(min(cpus, limit)):
            crowd.append(
                subprocess.Popen(  # noqa: S603 - this interpreter and a constant
                    command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
                )
            )
        for process in crowd:
            if process.stdout is not None:
                process.stdout.readline()
        yield len(crowd)
    finally:
        for process in crowd:
            process.kill()
        for process in crowd:
            process.communicate()
