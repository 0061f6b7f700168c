"""The IID track of SP 800-90B, section 5: permutation testing, chi-square tests, longest repeated substring."""

from __future__ import annotations

import os
import secrets
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path
from typing import Literal

import attrs
import numpy as np

from esoteric_drbg.conformance.documents import Document
from esoteric_drbg.conformance.iid.chi_square import ChiSquare, goodness_of_fit, independence
from esoteric_drbg.conformance.iid.lrs import LongestRepeat, longest_repeat_test
from esoteric_drbg.conformance.iid.permutation import (
    PERMUTATIONS,
    Checkpoint,
    count_permutations,
    fail_limit,
)
from esoteric_drbg.conformance.samples.files import Source, read_samples
from esoteric_drbg.conformance.samples.sample_set import SampleSet
from esoteric_drbg.errors import InvalidInputError
from esoteric_drbg.kernels import kernel_info
from esoteric_drbg.kernels.estimate_bounds import most_common_value
from esoteric_drbg.kernels.iid import AVERAGE_SCALE, STATISTICS
from esoteric_drbg.kernels.memory import OutOfMemoryIsOurs
from esoteric_drbg.progress import Progress
from esoteric_drbg.version import __version__

__all__ = ["FALSE_ALARMS", "IidAssessment", "PermutationStatistic", "assess_iid"]

#: Warning in every result.
FALSE_ALARMS = (
    "On ideal IID data about 2% of the data sets fail one of these tests by chance: "
    "assess fresh data before drawing conclusions from a single failure."
)
#: Fewest permutations that give a meaningful result.
FEWEST_PERMUTATIONS = 100
#: Length of a truncated bitstring, in bits.
TRUNCATED_BITS = 1_000_000


@attrs.frozen(kw_only=True)
class PermutationStatistic:
    """One of the 19 permutation statistics.

    Attributes
    ----------
    name : str
        One of :data:`esoteric_drbg.kernels.iid.STATISTICS`.
    value : float
        The statistic of the samples in their original order, in the units of SP 800-90B 5.1.
    greater, equal, less : int
        Numbers of permutations whose statistic was greater, equal, or less.
    passed : bool
        Whether the rank of the samples among their permutations is not extreme.
    """

    name: str
    value: float
    greater: int
    equal: int
    less: int
    passed: bool


@attrs.frozen(kw_only=True)
class IidAssessment(Document):
    """Result of :func:`assess_iid`.

    Attributes
    ----------
    samples, alphabet, bits : int
        Number of samples, of distinct symbols, and of bits per sample.
    sha256 : str
        SHA-256 of the samples, one a byte.
    conditioned : bool
        Whether the figures are those of a conditioned data set, per bit of its bitstring.
    mean, median : float
        Mean of the samples; median of the samples translated to 0, 1, 2, ... (0.5 for binary data).
    statistics : tuple of PermutationStatistic
        The 19 permutation tests.
    independence, goodness_of_fit : ChiSquare
        The chi-square tests.
    longest_repeated_substring : LongestRepeat
        The Length of the Longest Repeated Substring Test.
    seed : int
        Seed of the permutations; the same seed gives the same counts.
    permutations, compressions : int
        Permutations made, and those for which the compression statistic was computed.
    permutations_asked : int
        The largest number of permutations that was asked for.
    early_stop : bool
        Whether statistics that could not fail any more were left out.
    h_original, h_bitstring, h_assessed : float or None
        Most Common Value min-entropy: bits per sample, bits per bit, and their minimum as in SP 800-90B 3.1.3, bits per
        sample (per bit if `conditioned`). None if a test failed or could not run, or where the figure does not apply.
    kernels, version : str
        Which kernels computed it, and the version of this package.
    warnings : tuple of str
        What a reader of the result has to know.
    """

    samples: int
    alphabet: int
    bits: int
    sha256: str
    conditioned: bool
    mean: float
    median: float
    statistics: tuple[PermutationStatistic, ...]
    independence: ChiSquare
    goodness_of_fit: ChiSquare
    longest_repeated_substring: LongestRepeat
    seed: int
    permutations: int
    compressions: int
    permutations_asked: int
    early_stop: bool
    h_original: float | None
    h_bitstring: float | None
    h_assessed: float | None
    kernels: str
    version: str
    warnings: tuple[str, ...]
    false_alarms: str = FALSE_ALARMS

    shown_first = ("passed",)

    @property
    def passed(self) -> bool | None:
        """True if every test passed, False if one failed, None if none failed but one could not run."""
        return _verdict(self.statistics, (self.independence, self.goodness_of_fit, self.longest_repeated_substring))


def _verdict(statistics: tuple[PermutationStatistic, ...], tests: tuple[ChiSquare | LongestRepeat, ...]) -> bool | None:
    verdicts = [statistic.passed for statistic in statistics] + [test.passed for test in tests]
    if False in verdicts:
        return False
    return None if None in verdicts else True


@OutOfMemoryIsOurs("an assessment")
def assess_iid(
    samples: SampleSet | Source,
    bits: int | None = None,
    *,
    conditioned: bool = False,
    bitstring: Literal["all", "truncated"] = "all",
    seed: int | None = None,
    permutations: int = PERMUTATIONS,
    exact_count: int | None = None,
    threads: int | None = None,
    executor: Executor | None = None,
    progress: Progress | None = None,
    resume: str | os.PathLike[str] | None = None,
) -> IidAssessment:
    """Assess samples on the IID track of SP 800-90B, section 5.

    Parameters
    ----------
    samples : SampleSet, path, buffer of bytes or array of integers
        The samples in their original order; at most 2^27. Anything but a SampleSet is read by
        :func:`esoteric_drbg.conformance.read_samples`, which knows more formats.
    bits : int, optional
        Bits per sample, 1 to 8; found from the data if None. Not with a SampleSet, which has its own.
    conditioned : bool
        Whether these are outputs of a non-vetted conditioning component (3.1.5.2). As in NIST's tool the tests are the
        same; the min-entropy is that of the bitstring alone, per bit.
    bitstring : {"all", "truncated"}
        Whether H_bitstring is that of all bits, or of the first 1,000,000.
    seed : int, optional
        Seed of the permutations, 0 to 2^64 - 1; random if None.
    permutations : int
        Largest number of permutations, 100 or more. A statistic fails if at most 5 in 10,000 of their values are on one
        side of the samples' value. Statistics that cannot fail any more are left out, and testing stops when none is
        left.
    exact_count : int, optional
        Make exactly that many permutations of every statistic, without stopping early; 100 or more.
    threads : int, optional
        Number of threads, or of parts into which work is split for the executor; the number of CPUs if None.
    executor : Executor, optional
        Any executor of :mod:`concurrent.futures`, to make the permutations. The result does not depend on it.
    progress : callable, optional
        ``progress(done, total, text)``, in permutations.
    resume : path, optional
        Checkpoint file, from which an interrupted assessment is continued. It is removed at the end.

    Returns
    -------
    IidAssessment

    Raises
    ------
    InvalidInputError
        If an argument is outside its domain, or the checkpoint belongs to another run.

    Examples
    --------
    >>> from esoteric_drbg.conformance.iid.assessment import assess_iid
    >>> result = assess_iid(bytes(range(16)) * 40, seed=1, permutations=200)
    >>> result.passed, result.h_assessed, result.longest_repeated_substring.length
    (False, None, 624)
    """
    sample_set = _sample_set(samples, bits)
    if bitstring not in {"all", "truncated"}:
        raise InvalidInputError(f"bitstring={bitstring!r}: expected 'all' or 'truncated'")
    asked = permutations if exact_count is None else exact_count
    if asked < FEWEST_PERMUTATIONS:
        raise InvalidInputError(f"{asked} permutations: make {FEWEST_PERMUTATIONS} or more")
    if threads is not None and threads < 1:
        raise InvalidInputError(f"threads={threads}: expected 1 or more")
    path = None if resume is None else Path(resume)
    if seed is None:
        kept = None if path is None else Checkpoint.seed_in(path)
        seed = secrets.randbits(53) if kept is None else kept
    early_stop = exact_count is None
    facts: dict[str, str | int | bool] = {
        "sha256": sample_set.sha256,
        "seed": seed,
        "permutations": asked,
        "early_stop": early_stop,
    }
    workers = threads or os.cpu_count() or 1
    pool = ThreadPoolExecutor(workers, thread_name_prefix="iid") if executor is None else executor
    try:
        original, counted = count_permutations(
            sample_set.octets,
            seed=seed,
            permutations=asked,
            early_stop=early_stop,
            executor=pool,
            workers=workers,
            progress=progress,
            checkpoint=None if path is None else Checkpoint(path, facts),
        )
    finally:
        if executor is None:
            pool.shutdown(wait=False, cancel_futures=True)
    limit = fail_limit(asked)
    undecided = counted.undecided(limit)
    statistics = tuple(
        PermutationStatistic(
            name=name,
            value=_value(name, key, sample_set.symbols.size),
            greater=greater,
            equal=equal,
            less=less,
            passed=not undecided >> i & 1,
        )
        for i, (name, key, (greater, equal, less)) in enumerate(zip(STATISTICS, original, counted.counts, strict=True))
    )
    independent, fits = independence(sample_set), goodness_of_fit(sample_set)
    repeat = longest_repeat_test(sample_set)
    verdict = _verdict(statistics, (independent, fits, repeat))
    most = TRUNCATED_BITS if bitstring == "truncated" else None
    entropy = _min_entropy(sample_set, conditioned, most) if verdict else (None, None, None)
    return IidAssessment(
        samples=sample_set.symbols.size,
        alphabet=sample_set.alphabet,
        bits=sample_set.bits,
        sha256=sample_set.sha256,
        conditioned=conditioned,
        mean=int(sample_set.symbols.sum(dtype=np.int64)) / sample_set.symbols.size,
        median=_median(sample_set),
        statistics=statistics,
        independence=independent,
        goodness_of_fit=fits,
        longest_repeated_substring=repeat,
        seed=seed,
        permutations=counted.permutations,
        compressions=counted.compressions,
        permutations_asked=asked,
        early_stop=early_stop,
        h_original=entropy[0],
        h_bitstring=entropy[1],
        h_assessed=entropy[2],
        kernels=kernel_info().name,
        version=__version__,
        warnings=_warnings(sample_set, asked, verdict),
    )


def _sample_set(samples: SampleSet | Source, bits: int | None) -> SampleSet:
    if not isinstance(samples, SampleSet):
        return read_samples(samples, bits)
    if bits not in (None, samples.bits):
        raise InvalidInputError(f"bits={bits}: the sample set has symbols of {samples.bits} bits")
    return samples


def _value(name: str, key: int, n: int) -> float:
    """Return the statistic that a kernel's integer key stands for."""
    return key / {"excursion": n, "average_collision": AVERAGE_SCALE}.get(name, 1)


def _median(samples: SampleSet) -> float:
    """Return the median of the translated samples, 0.5 for binary data."""
    if samples.alphabet == 2:
        return 0.5
    below = np.cumsum(np.bincount(samples.translated))
    n = samples.symbols.size
    low, high = np.searchsorted(below, [(n - 1) // 2, n // 2], side="right")
    return float(low + high) / 2


def _min_entropy(samples: SampleSet, conditioned: bool, most: int | None) -> tuple[float | None, float | None, float]:
    """Return H_original, H_bitstring and the assessed min-entropy, 3.1.3, each by the Most Common Value estimate."""
    packed, n = samples.bitstring(most)
    ones = int(np.bitwise_count(packed).sum(dtype=np.int64))
    per_bit = min(1.0, most_common_value(max(ones, n - ones), n))
    if conditioned:
        return None, per_bit, per_bit
    mode = int(np.bincount(samples.symbols).max())
    original = min(float(samples.bits), most_common_value(mode, samples.symbols.size))
    if samples.alphabet == 2:
        return original, None, original
    return original, per_bit, min(original, samples.bits * per_bit)


def _warnings(samples: SampleSet, asked: int, verdict: bool | None) -> tuple[str, ...]:
    found = list(samples.warnings)
    if asked < PERMUTATIONS:
        found.append(f"{asked} permutations: SP 800-90B 5.1 asks for {PERMUTATIONS}")
    if samples.alphabet == 1:
        found.append("all samples are equal: there is no entropy")
    if verdict is None:
        found.append("no test failed, but not all of them could run on these samples: no min-entropy is given")
    return tuple(found)
