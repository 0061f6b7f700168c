"""The claim audit: does a source's min-entropy claim hold on this machine? SP 800-90B 3.1 from recording to verdict."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path

import attrs

from esoteric_drbg.conformance.audit.plan import RESTART_SAMPLES, AuditPlan, measured_rate
from esoteric_drbg.conformance.audit.results import FalseAlarms, SourceAudit, Verdict
from esoteric_drbg.conformance.audit.verdict import judge, restart_family
from esoteric_drbg.conformance.document_files import parse_document, write_document
from esoteric_drbg.conformance.entropy.non_iid import assess_non_iid
from esoteric_drbg.conformance.iid.assessment import assess_iid
from esoteric_drbg.conformance.recording.recorder import record, record_restarts
from esoteric_drbg.conformance.recording.sidecar import Sidecar, file_sha256, machine_facts, read_sidecar
from esoteric_drbg.conformance.restart.assessment import assess_restart
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


@attrs.frozen(kw_only=True)
class Asked:
    """The source, samples and restarts that an audit was asked to record."""

    samples: int
    restarts: int
    source: str


@attrs.frozen(kw_only=True)
class Unfinished:
    """An unfinished audit: what it was asked to record, and the SHA-256 of each finished data set, by file."""

    asked: Asked
    done: dict[str, str]


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
        An installed source: each restart creates a new source of the same name in a fresh process.
    folder : Path
        Folder for NAME.bin and NAME.restarts.bin with their sidecars. An interrupted audit is continued there.
    plan : AuditPlan, optional
        What to record; by default what SP 800-90B requires.
    reuse : bool
        Judge the recordings already in the folder, such as restarts by power cycling, instead of making new ones. Their
        sizes are then used, not the plan's.
    threads : int, optional
        Number of threads for the estimators.
    progress : callable, optional
        ``progress(done, total, step)``.

    Returns
    -------
    SourceAudit

    Raises
    ------
    SourceError, InvalidInputError, OSError
        If the source cannot be read, the folder cannot be written, or a recording does not match its sidecar.
    """
    plan = plan or AuditPlan()
    source = guarded(source)
    began = time.perf_counter()
    folder.mkdir(parents=True, exist_ok=True)
    data, matrix = folder / f"{source.name}.bin", folder / f"{source.name}.restarts.bin"
    report = progress or silent
    if reuse:
        facts, restarts = (_recorded(source, path) for path in (data, matrix))
        if restarts.restarts is None:
            raise InvalidInputError(f"{matrix}: no recording of restarts: its sidecar has no field restarts")
        if restarts.samples != RESTART_SAMPLES:
            raise InvalidInputError(f"{matrix}: restarts of {restarts.samples} samples, not {RESTART_SAMPLES}")
        plan = AuditPlan(samples=facts.samples, restarts=restarts.restarts, jobs=restarts.jobs)
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
    verdict, reasons = judge(claim.min_entropy, claim.credit, sequential, iid, restart)
    rate = facts.symbols_per_second or measured_rate(source)
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
        machine=facts.machine or machine_facts(),
        independence_group=source.independence_group,
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        seconds=time.perf_counter() - began,
    )


def _record_both(
    source: NoiseSource, data: Path, matrix: Path, plan: AuditPlan, report: Progress, total: int
) -> Sidecar:
    """Record both data sets, except those that an interrupted audit has finished; return the first one's sidecar.

    NAME.audit.partial holds the plan of an unfinished audit and the SHA-256 of each data set that it has finished.
    """
    marker = data.with_name(f"{source.name}.audit.partial")
    asked = Asked(samples=plan.samples, restarts=plan.restarts, source=source.name)
    done = _done(marker, asked)

    def finished(path: Path) -> bool:
        return path.name in done and path.is_file() and done[path.name] == file_sha256(path)

    def note(path: Path | None = None) -> None:
        if path is not None:
            done[path.name] = file_sha256(path)
        write_document(marker, Unfinished(asked=asked, done=done))

    note()
    if not finished(data):
        record(
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
    return read_sidecar(data)


def _done(marker: Path, asked: Asked) -> dict[str, str]:
    """Return the SHA-256 of each file that an interrupted audit with the same plan has finished; empty if in doubt."""
    try:
        kept = parse_document(read_file(marker), marker, Unfinished, "an unfinished audit")
    except (OSError, InvalidInputError):
        return {}
    return dict(kept.done) if kept.asked == asked else {}


def _recorded(source: NoiseSource, path: Path) -> Sidecar:
    """Return the sidecar of a recording after checking that it belongs to this source and these bytes."""
    facts = read_sidecar(path)
    if facts.source != source.name or facts.symbol_bits != source.symbol_bits:
        raise InvalidInputError(f"{path}: a recording of {facts.source}, not of {source.name}")
    if facts.sha256 != file_sha256(path):
        raise InvalidInputError(f"{path}: the SHA-256 is not that of its sidecar")
    kernels = facts.machine.get("kernels")
    if kernels != machine_facts()["kernels"]:
        raise InvalidInputError(f"{path}: recorded with the {kernels} kernels; the claim in force is of the other ones")
    return facts


def false_alarms(symbols: bytes, min_entropy: float, symbol_bits: int = 8) -> tuple[FalseAlarms, ...]:
    """Run the health tests, at the cutoffs of both tiers, over a recording.

    Parameters
    ----------
    symbols : bytes
        Raw samples, one a byte.
    min_entropy : float
        H, from which the cutoffs are computed, in bits per sample.
    symbol_bits : int
        Width of a sample, in bits.

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
