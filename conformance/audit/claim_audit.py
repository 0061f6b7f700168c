"""The claim audit: does a source's min-entropy claim hold on this machine? SP 800-90B 3.1 from recording to verdict."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import attrs

from esoteric_drbg.atomic_write import write_file
from esoteric_drbg.conformance.audit.plan import RESTART_SAMPLES, AuditPlan, measured_rate
from esoteric_drbg.conformance.entropy.non_iid import NonIIDAssessment, assess_non_iid
from esoteric_drbg.conformance.iid.assessment import IidAssessment, assess_iid
from esoteric_drbg.conformance.iid.multiplicity import FamilyVerdict, family_verdict
from esoteric_drbg.conformance.recording.recorder import file_sha256, machine_facts, record, record_restarts
from esoteric_drbg.conformance.restart.assessment import RestartAssessment, assess_restart
from esoteric_drbg.conformance.samples.files import read_file, read_samples
from esoteric_drbg.errors import InvalidInputError
from esoteric_drbg.health_tests import (
    AdaptiveProportionTest,
    HealthProfile,
    LagPredictorTest,
    RepetitionCountTest,
    apt_cutoff,
    apt_window,
    rct_cutoff,
)
from esoteric_drbg.noise_sources import NoiseSource
from esoteric_drbg.noise_sources.guard import guarded
from esoteric_drbg.progress import Progress, silent

__all__ = ["FalseAlarms", "SourceAudit", "Verdict", "audit_source", "false_alarms", "restart_family"]

Verdict = Literal["holds", "too high", "no evidence"]

#: Probability that the restart sanity check of SP 800-90B 3.1.4.3 fails a source whose min-entropy is exactly H_I.
RESTART_ALPHA = 0.01


@attrs.frozen(kw_only=True)
class FalseAlarms:
    """A health test at one cutoff on the recording, which is taken to be healthy.

    Attributes
    ----------
    test : str
        ``"RCT"``, ``"APT"``, or run, window or span of the Lag Predictor Test: ``"lag run (developer-defined)"``.
    tier : str
        ``"intermittent"`` or ``"permanent"``.
    cutoff : int
        C, in samples; of APT in a window of :func:`apt_window` samples; of the Lag Predictor Test in right predictions.
    chances : int
        Samples (RCT, lag run), windows (APT, lag window) or spans (lag span, one that began included) tested.
    alarms : int
        How many of them fired.
    rate, rate_below : float
        alarms / chances, and its upper confidence bound (95 %, Clopper and Pearson).
    alpha : float
        The false-alarm rate that the cutoff was made for.
    can_fail : bool
        False where the cutoff exceeds the window, so that the test is not run.
    """

    test: str
    tier: str
    cutoff: int
    chances: int
    alarms: int
    rate: float
    rate_below: float
    alpha: float
    can_fail: bool


@attrs.frozen(kw_only=True)
class SourceAudit:
    """Result of :func:`audit_source`.

    Attributes
    ----------
    name : str
    h_submitter, credit : float
        The claim, and what of it can be credited: 0 without evidence. Bits per symbol. A plug-in earns it only where
        the operator names it.
    h_original, h_bitstring : float or None
        From the sequential data set: bits per symbol, and per bit.
    h_initial : float
        H_I = min(H_original, n x H_bitstring, H_submitter); without H_submitter where nothing is claimed.
    h_row, h_column : float or None
        From the restart matrix; None where its sanity check failed.
    h_assessed : float
        min(H_original, n x H_bitstring, H_r, H_c), bits per symbol; 0 where the restart tests failed.
    verdict : str
        ``"holds"``, ``"too high"``, or ``"no evidence"`` where nothing is credited.
    reasons : tuple of str
        What the verdict rests on.
    false_alarms : tuple of FalseAlarms
        The health tests that follow from the claim, on the sequential data set.
    symbols_per_second, credited_bits_per_second : float
        While recording.
    left_out : tuple of str
        What a complete audit does beyond this one.
    independence_group, date : str
        The source's group; when the audit ended (ISO 8601, UTC).
    machine : dict
        What :func:`~esoteric_drbg.conformance.recording.recorder.machine_facts` says of where the data were recorded.
    """

    name: str
    h_submitter: float
    credit: float
    h_original: float | None
    h_bitstring: float | None
    h_initial: float
    h_row: float | None
    h_column: float | None
    h_assessed: float
    verdict: Verdict
    reasons: tuple[str, ...]
    false_alarms: tuple[FalseAlarms, ...]
    symbols_per_second: float
    credited_bits_per_second: float
    left_out: tuple[str, ...]
    sequential: NonIIDAssessment
    iid: IidAssessment | None
    restart: RestartAssessment
    files: tuple[str, ...]
    machine: dict[str, Any]
    independence_group: str
    date: str
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        """Return all attributes as plain JSON-ready values."""
        result = {field.name: getattr(self, field.name) for field in attrs.fields(type(self))}
        for name in ("sequential", "restart", "iid"):
            result[name] = result[name] and result[name].as_dict()
        result["false_alarms"] = [attrs.asdict(test) for test in self.false_alarms]
        for name in ("reasons", "left_out", "files"):
            result[name] = list(result[name])
        return result


def audit_source(
    source: NoiseSource,
    folder: Path,
    plan: AuditPlan | None = None,
    *,
    reuse: bool = False,
    threads: int | None = None,
    progress: Progress | None = None,
) -> SourceAudit:
    """Record a source through the call that seeding uses, assess it, and judge its claim.

    Parameters
    ----------
    source : NoiseSource
        An installed source: each restart makes a new one of its name in a fresh process.
    folder : Path
        Gets NAME.bin and NAME.restarts.bin with their sidecars. An interrupted audit goes on there.
    plan : AuditPlan, optional
        What to record; by default what SP 800-90B asks for.
    reuse : bool
        Judge the recordings that lie in the folder, such as restarts by power cycling, instead of new ones. Their sizes
        then count, not the plan's.
    threads : int, optional
        Threads of the estimators.
    progress : callable, optional
        ``progress(done, total, step)``.

    Returns
    -------
    SourceAudit

    Raises
    ------
    SourceError, InvalidInputError, OSError
        If the source cannot be read, the folder not be written, or the recordings are not what they say.
    """
    plan = plan or AuditPlan()
    source = guarded(source)
    began = time.perf_counter()
    folder.mkdir(parents=True, exist_ok=True)
    data, matrix = folder / f"{source.name}.bin", folder / f"{source.name}.restarts.bin"
    report = progress or silent
    if reuse:
        facts, restart_facts = (_recorded(source, path) for path in (data, matrix))
        if restart_facts["samples"] != RESTART_SAMPLES:
            raise InvalidInputError(f"{matrix}: restarts of {restart_facts['samples']} samples, not {RESTART_SAMPLES}")
        plan = AuditPlan(samples=facts["samples"], restarts=restart_facts["restarts"], jobs=restart_facts["jobs"])
    total = plan.samples // 1000 + plan.restarts + 2
    if not reuse:
        facts = _record_both(source, data, matrix, plan, report, total)
    report(total - 2, total, "estimators")
    claim = source.claim
    samples = read_samples(data, source.symbol_bits)
    sequential = assess_non_iid(samples, threads=threads)
    iid = assess_iid(samples, threads=threads) if claim.iid else None
    estimates = [sequential.h_assessed, *([claim.min_entropy] if claim.min_entropy else [])]
    h_initial = min(estimates)
    report(total - 1, total, "restart tests")
    restart = assess_restart(
        matrix,
        h_initial,
        bits=source.symbol_bits,
        rows=plan.restarts,
        columns=RESTART_SAMPLES,
        iid=claim.iid,
        threads=threads,
    )
    figures = [sequential.h_assessed, restart.h_row, restart.h_column]
    h_assessed = min(figure for figure in figures if figure is not None) if restart.passed else 0.0
    verdict, reasons = _judge(claim.min_entropy, claim.credit, sequential, iid, restart)
    rate = facts.get("symbols_per_second") or measured_rate(source)
    report(total, total, "")
    return SourceAudit(
        name=source.name,
        h_submitter=claim.min_entropy,
        credit=claim.credit,
        h_original=sequential.h_original,
        h_bitstring=sequential.h_bitstring,
        h_initial=h_initial,
        h_row=restart.h_row,
        h_column=restart.h_column,
        h_assessed=h_assessed,
        verdict=verdict,
        reasons=reasons,
        false_alarms=false_alarms(samples.octets, claim.cutoff_entropy, source.symbol_bits),
        symbols_per_second=rate,
        credited_bits_per_second=rate * claim.credit,
        left_out=plan.left_out,
        sequential=sequential,
        iid=iid,
        restart=restart,
        files=(str(data), str(matrix)),
        machine=facts.get("machine") or machine_facts(),
        independence_group=source.independence_group,
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        seconds=time.perf_counter() - began,
    )


def _record_both(
    source: NoiseSource, data: Path, matrix: Path, plan: AuditPlan, report: Progress, total: int
) -> dict[str, Any]:
    """Record both data sets and return the sidecar of the first. What an interrupted audit has finished is kept.

    The plan of an unfinished audit, and the SHA-256 of each data set that it has finished, lie in NAME.audit.partial.
    """
    marker = data.with_name(f"{source.name}.audit.partial")
    asked = {"samples": plan.samples, "restarts": plan.restarts, "source": source.name}
    unfinished = _json(marker)
    done: dict[str, str] = unfinished["done"] if unfinished.get("asked") == asked else {}

    def finished(path: Path) -> bool:
        return path.name in done and path.is_file() and done[path.name] == file_sha256(path)

    def note(path: Path | None = None) -> None:
        if path is not None:
            done[path.name] = file_sha256(path)
        write_file(marker, json.dumps({"asked": asked, "done": done}) + "\n")

    note()
    if finished(data):
        facts = _json(data.with_name(data.name + ".json"))
    else:
        facts = record(
            source,
            plan.samples,
            data,
            resume=True,
            progress=lambda recorded, *_: report(recorded // 1000, total, "sequential data"),
        )
        note(data)
    before = plan.samples // 1000
    if not finished(matrix):
        record_restarts(
            source.name,
            matrix,
            restarts=plan.restarts,
            samples=RESTART_SAMPLES,
            jobs=plan.jobs,
            progress=lambda recorded, *_: report(before + recorded, total, "restarts"),
        )
    marker.unlink(missing_ok=True)
    return facts


def _json(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(read_file(path))
    except (OSError, ValueError):
        return {}
    return document if isinstance(document, dict) else {}


def _recorded(source: NoiseSource, path: Path) -> dict[str, Any]:
    """Return the sidecar of a recording, which has to be of this source and these bytes."""
    facts = _json(path.with_name(path.name + ".json"))
    if not path.is_file() or not facts:
        raise InvalidInputError(f"{path}: no recording with its sidecar; record it first")
    if facts.get("source") != source.name or facts.get("symbol_bits") != source.symbol_bits:
        raise InvalidInputError(f"{path}: a recording of {facts.get('source')}, not of {source.name}")
    if facts.get("sha256") != file_sha256(path):
        raise InvalidInputError(f"{path}: the SHA-256 is not that of its sidecar")
    kernels = (facts.get("machine") or {}).get("kernels")
    if kernels != machine_facts()["kernels"]:
        raise InvalidInputError(f"{path}: recorded with the {kernels} kernels; the claim in force is of the other ones")
    return facts


def restart_family(passed: Sequence[bool]) -> FamilyVerdict:
    """Return whether chance explains the restart sanity checks that failed: each fails in 1 % at most by chance.

    Parameters
    ----------
    passed : sequence of bool
        Whether the check of SP 800-90B 3.1.4.3 passed, source by source.

    Examples
    --------
    >>> restart_family([True] * 20).text
    '0 of 20 restart sanity checks failed, at most 0.20 false alarms expected: chance explains this (p = 1)'
    """
    verdict = family_verdict(passed.count(False), len(passed), rate=RESTART_ALPHA)
    return attrs.evolve(verdict, what="restart sanity checks")


def _judge(
    h_submitter: float,
    credit: float,
    sequential: NonIIDAssessment,
    iid: IidAssessment | None,
    restart: RestartAssessment,
) -> tuple[Verdict, tuple[str, ...]]:
    """Return the verdict on a claim and what it rests on."""
    reasons = []
    if sequential.h_assessed < h_submitter:
        part, estimator = sequential.decided_by
        reasons.append(f"the sequential data have {sequential.h_assessed:.4g} ({estimator}, {part})")
    if iid is not None and iid.passed is False:
        reasons.append("the data are not IID, as was claimed")
    if not restart.sanity_passed:
        lines = [f"{line.line} {line.index}" for line in restart.failing[:3]]
        lines += ["..."] * (len(restart.failing) > len(lines))
        reasons.append(f"the restart sanity check failed: {', '.join(lines)}")
    elif not restart.validation_passed:
        reasons.append(f"the restart validation failed: H_r {restart.h_row:.4g}, H_c {restart.h_column:.4g}")
    else:
        for label, figure in (("rows", restart.h_row), ("columns", restart.h_column)):
            if figure is not None and figure < h_submitter:
                reasons.append(f"the restart {label} have {figure:.4g}")
    if credit == 0:
        return "no evidence", ("nothing is credited", *reasons)
    if reasons:
        return "too high", tuple(reasons)
    return "holds", ("every figure is at or above the claim",)


def false_alarms(symbols: bytes, min_entropy: float, symbol_bits: int = 8) -> tuple[FalseAlarms, ...]:
    """Run the health tests, at the cutoffs of both tiers, over a recording.

    Parameters
    ----------
    symbols : bytes
        Raw symbols, one a byte.
    min_entropy : float
        H that the cutoffs follow from, in bits per symbol.
    symbol_bits : int
        Width of a symbol.

    Examples
    --------
    >>> [test.alarms for test in false_alarms(bytes(i * i * i % 251 for i in range(2000)), 6.0)[:5]]
    [0, 0, 0, 0, 0]
    """
    from scipy.special import betaincinv  # noqa: PLC0415 - scipy is slow to import

    profile = HealthProfile()
    window = apt_window(symbol_bits)
    results = []
    for tier, alpha in (("intermittent", profile.intermittent_alpha), ("permanent", profile.permanent_alpha)):
        rct, apt = rct_cutoff(min_entropy, alpha), apt_cutoff(min_entropy, alpha, window)
        repetition, proportion = RepetitionCountTest(rct), AdaptiveProportionTest(min(apt, window), window)
        lag = LagPredictorTest.from_claim(min_entropy, alpha, symbol_bits=symbol_bits)
        repetition.push(symbols)
        lag.push(symbols)
        if apt <= window:
            proportion.push(symbols)
        windows = len(symbols) // window
        kinds = (f"lag {kind} (developer-defined)" for kind in lag.cutoffs._fields)
        spans = -(-windows // lag.span)
        rows = [
            ("RCT", rct, len(symbols), True, repetition.failures),
            ("APT", apt, windows, apt <= window, proportion.failures),
            *zip(kinds, lag.cutoffs, (len(symbols), windows, spans), lag.can_fail, lag.failures_by_kind, strict=True),
        ]
        for test, cutoff, chances, can_fail, alarms in rows:
            below = 1.0 if alarms >= chances else float(betaincinv(alarms + 1, chances - alarms, 0.95))
            results.append(
                FalseAlarms(
                    test=test,
                    tier=tier,
                    cutoff=cutoff,
                    chances=chances,
                    alarms=alarms,
                    rate=alarms / chances if chances else 0.0,
                    rate_below=below,
                    alpha=alpha,
                    can_fail=can_fail,
                )
            )
    return tuple(results)
