"""The gate: the credit of fresh samples if no evidence fits this machine and no self-assessment is stored.

A quarter of the lowest of six estimates is credited, or an eighth if there was time for few samples only. The credit
never exceeds the claim, and is 0 if the health tests cannot guard it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

from esoteric_drbg.health_tests import apt_can_fail, apt_cutoff, apt_window
from esoteric_drbg.kernels import kernel_info
from esoteric_drbg.noise_sources import Claim, NoiseSource
from esoteric_drbg.noise_sources.guard import is_foreign
from esoteric_drbg.process.forks import loading
from esoteric_drbg.seeding.ledger import Credit

if TYPE_CHECKING:
    from esoteric_drbg.noise_sources.lowest_estimate import LowestEstimate

__all__ = ["TIMES", "Read", "gate", "guarded", "if_guarded", "repeat", "rounded_down", "shipped_parameters"]

#: The credited share of the lowest estimate: less than the half of a full assessment, because the look is short. A look
#: at few samples misses more: beats of a coarse counter, 0.09 bits by 20,000 samples, looked like 0.24 by 2,048.
GATE_SHARE = 0.25
SHORT_SHARE, SHORT_SYMBOLS = 0.125, 8192
#: Most seconds, approximately, that the gate of one source takes. The reference kernels count slowly.
GATE_SECONDS = {"rust": 0.05, "reference": 3.0}
#: Samples of the gate's first look, and most samples of its last one.
FIRST_SYMBOLS, MOST_SYMBOLS = 2048, 32768
#: Fewest samples that are estimated from: they hold the longest lag that is examined, 128, four times.
FEWEST_SYMBOLS = 512
#: The basis of a look that got too few samples, until it is known whether the machine was only busy.
TOO_SLOW = "too slow"
#: Multiples of the shipped work per sample that are tried in turn if the shipped work shows too little.
TIMES = (1, 2, 4, 8, 16, 32)

Read = Callable[[int], bytes | None]
Look: TypeAlias = "Callable[[int], LowestEstimate | None]"


def guarded(bits: float, symbol_bits: int, alpha: float = 2.0**-30) -> str:
    """Return why the continuous health tests cannot guard so many bits per sample; an empty string if they can.

    Examples
    --------
    >>> guarded(0.25, 8)
    ''
    >>> guarded(0.05, 8)
    '0.05 bits per sample cannot be guarded: the Adaptive Proportion Test would fail at 513 of 512 symbols'
    """
    window = apt_window(symbol_bits)
    if bits > 0 and apt_can_fail(bits, alpha, window):
        return ""
    cutoff = apt_cutoff(bits, alpha, window) if bits > 0 else window + 1
    return (
        f"{bits:g} bits per sample cannot be guarded: the Adaptive Proportion Test would fail at {cutoff} of "
        f"{window} symbols"
    )


def if_guarded(bits: float, basis: str, words: str, symbol_bits: int, alpha: float, times: int = 1) -> Credit:
    """Return a credit of so many bits, or of 0 if they cannot be guarded."""
    fault = guarded(bits, symbol_bits, alpha)
    return Credit(0.0, "none", f"{words}; {fault}", times) if fault else Credit(bits, basis, words, times)


def rounded_down(bits: float) -> float:
    """Return bits per sample, rounded down to three decimals."""
    return math.floor(bits * 1000) / 1000


#: Looks that must all get too few samples before a source counts as too slow: the machine may be busy during one.
SLOW_LOOKS = 3
#: How many looks got too few samples in this process, by source and key of its gate.
_SLOW: dict[tuple[Any, ...], int] = {}
#: The credits that the gates of this process gave our sources, by class, parameters, claim and alpha. Forks keep them.
_GATES: dict[tuple[Any, ...], Credit] = {}


def gate(source: NoiseSource, claim: Claim, read: Read, *, alpha: float = 2.0**-30, misfit: str = "") -> Credit:
    """Return a quarter of the lowest estimate of fresh samples, an eighth below 8,192 samples, at most the claim; or 0.

    The first look takes 2,048 samples. If they show too little for the health tests to guard, the look is repeated
    with more work per sample. Then as many more samples are read as the time allows. The lowest figure counts, and is
    kept for this process.
    """
    ours = not is_foreign(source)
    # The key has the shipped work: another pool may have made this source do more.
    key = (type(source), tuple(sorted(shipped_parameters(source).items())), claim.min_entropy, alpha)
    known = _GATES.get(key) if ours else None
    if known is not None:
        repeat(source, known.times)
        return known
    credit = _run_gate(source, claim, read, alpha, misfit)
    if credit.basis == TOO_SLOW:
        looked = _SLOW[source.name, *key] = _SLOW.get((source.name, *key), 0) + 1
        credit = credit._replace(basis="none" if looked >= SLOW_LOOKS else "unread")
    if credit.bits == 0:
        repeat(source, 1)
    if ours and credit.basis != "unread":
        _GATES[key] = credit
    return credit


def _run_gate(source: NoiseSource, claim: Claim, read: Read, alpha: float, misfit: str) -> Credit:
    with loading:  # a forked child cannot finish an import that another thread of its parent began
        from esoteric_drbg.noise_sources.lowest_estimate import (  # noqa: PLC0415 - only where no evidence fits
            LowestEstimate,
            load_kernels,
            lowest_estimate,
        )

        load_kernels()

    kernels = kernel_info().name
    seconds = GATE_SECONDS[kernels]
    until = time.monotonic() + seconds

    def look(n: int) -> LowestEstimate | None:
        symbols = read(n)
        return None if symbols is None else lowest_estimate(symbols, source.symbol_bits)

    if kernels == "reference":
        with loading:
            import logging  # noqa: PLC0415 - not on the token path

        logging.getLogger("esoteric_drbg").warning(
            "%s: %s; what this machine gives is being found out with the reference kernels, which takes some seconds "
            "(esoteric-drbg self-assess keeps the result)",
            source.name,
            misfit,
        )
    best = LowestEstimate(-1.0, "", 0)
    for times in TIMES if getattr(source, "adaptable", False) else (1,):
        began = time.monotonic()
        if began > until - seconds / 2 and best.samples:
            break
        repeat(source, times)
        n = _first_symbols(read, until)
        if n is None:
            return Credit(0.0, "unread", f"{misfit}; it could not be read")
        if n < FEWEST_SYMBOLS:
            continue
        found = look(n)
        if found is not None and not guarded(_share(found, claim), source.symbol_bits, alpha):
            found = _longer_look(found, look, time.monotonic() - began, until)
        if found is None:
            return Credit(0.0, "unread", f"{misfit}; it could not be read")
        best = max(best, found, key=lambda one: one.min_entropy)
        if not guarded(_share(found, claim), source.symbol_bits, alpha):
            words = f"{misfit}; {found.samples:,} fresh symbols have {found.min_entropy:.4g} bits ({found.decided_by})"
            if times > 1:
                words += f", each {times} times the work"
            return Credit(_share(found, claim), "gate", words, times)
    if not best.samples:
        slow = (
            f"too slow for the gate: fewer than {FEWEST_SYMBOLS} symbols in {seconds:g} s (esoteric-drbg self-assess)"
        )
        return Credit(0.0, TOO_SLOW, f"{misfit}; {slow}")
    words = f"{misfit}; {best.samples:,} fresh symbols have {best.min_entropy:.4g} bits ({best.decided_by})"
    return Credit(0.0, "none", f"{words}; {guarded(_share(best, claim), source.symbol_bits, alpha)}")


def _share(found: LowestEstimate, claim: Claim) -> float:
    """Return the credited share of an estimate, guarded or not."""
    share = SHORT_SHARE if found.samples < SHORT_SYMBOLS else GATE_SHARE
    return rounded_down(min(claim.min_entropy, share * found.min_entropy))


def _first_symbols(read: Read, until: float) -> int | None:
    """Return how many samples the first look takes; None if the source cannot be read."""
    if read(16) is None:  # the set-up of a first read is done after this
        return None
    began = time.monotonic()
    if read(64) is None:
        return None
    now = time.monotonic()
    return int(min(FIRST_SYMBOLS, 0.85 * max(0.0, until - now) / max((now - began) / 64, 1e-9)))


def _longer_look(found: LowestEstimate, look: Look, seconds: float, until: float) -> LowestEstimate | None:
    """Return the lowest of a first look, which took ``seconds``, and of longer looks for which there is time."""
    if seconds < (until - time.monotonic()) / 4:  # what was loaded for the first look costs nothing now
        began = time.monotonic()
        again = look(found.samples)
        if again is None:
            return None
        found, seconds = _lower(found, again), time.monotonic() - began
    n = int(min(MOST_SYMBOLS, 0.8 * (until - time.monotonic()) / (seconds / found.samples)))
    if n <= found.samples:
        return found
    longer = look(n)
    return None if longer is None else _lower(found, longer)


def _lower(one: LowestEstimate, other: LowestEstimate) -> LowestEstimate:
    """Return the lower of two estimates, with the number of samples of the longer look."""
    return min(one, other)._replace(samples=max(one.samples, other.samples))


def shipped_parameters(source: NoiseSource) -> dict[str, str | int]:
    """Return the parameters of a source as shipped, whatever work another pool makes it do at this moment."""
    parameters = source.parameters()
    if "touches" in parameters:
        parameters["touches"] = getattr(source, "touches", parameters["touches"])
    return parameters


def repeat(source: NoiseSource, times: int) -> None:
    """Make a source do so many times the shipped work per sample, if it can."""
    do_more = getattr(source, "repeat", None)
    if do_more is not None:
        do_more(times)
