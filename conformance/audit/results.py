"""Results of a claim audit: the figures, the verdict, and the health tests on the recording."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import attrs

from esoteric_drbg.conformance.documents import Document
from esoteric_drbg.conformance.entropy.non_iid import NonIIDAssessment
from esoteric_drbg.conformance.iid.assessment import IidAssessment
from esoteric_drbg.conformance.recording.sidecar import Fact
from esoteric_drbg.conformance.restart.assessment import RestartAssessment

__all__ = ["FalseAlarms", "SourceAudit", "Verdict"]

Verdict = Literal["holds", "too high", "no evidence"]


@attrs.frozen(kw_only=True)
class FalseAlarms:
    """Result of a health test at one cutoff on the recording, which is assumed to be healthy.

    Attributes
    ----------
    test : str
        ``"RCT"``, ``"APT"``, or the run, window or span of the Lag Predictor Test: ``"lag run (developer-defined)"``.
    tier : str
        ``"intermittent"`` or ``"permanent"``.
    cutoff : int
        C: samples for the RCT, samples in a window of :func:`apt_window` for the APT, correct predictions for the Lag
        Predictor Test.
    chances : int
        Number of samples (RCT, lag run), windows (APT, lag window) or spans (lag span, including an unfinished one)
        tested.
    alarms : int
        Number of alarms.
    rate, rate_below : float
        alarms / chances, and its upper confidence bound (95 %, Clopper and Pearson).
    alpha : float
        The false-alarm rate from which the cutoff was computed.
    can_fail : bool
        False if the cutoff exceeds the window, so that the test is not run.
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
class SourceAudit(Document):
    """Result of :func:`audit_source`.

    Attributes
    ----------
    name : str
    h_submitter, credit : float
        The claim, and the credit it can have (0 without evidence), in bits per sample. A plug-in has the credit only if
        the operator names it.
    h_original, h_bitstring : float or None
        From the sequential data set: bits per sample, and per bit.
    h_initial : float
        H_I = min(H_original, n x H_bitstring, H_submitter); without H_submitter if nothing is claimed.
    h_row, h_column : float or None
        From the restart matrix; None if its sanity check failed.
    h_assessed : float
        min(H_original, n x H_bitstring, H_r, H_c), bits per sample; 0 if the restart tests failed.
    verdict : str
        ``"holds"``, ``"too high"``, or ``"no evidence"`` where nothing is credited.
    reasons : tuple of str
        Reasons for the verdict.
    false_alarms : tuple of FalseAlarms
        Health tests with the cutoffs of the claim, on the sequential data set.
    symbols_per_second, credited_bits_per_second : float
        Rates while recording.
    left_out : tuple of str
        What a complete audit does beyond this one.
    independence_group, date : str
        The source's group; when the audit ended (ISO 8601, UTC).
    machine : mapping
        Facts of the recording machine, from :func:`~esoteric_drbg.conformance.recording.recorder.machine_facts`.
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
    machine: Mapping[str, Fact]
    independence_group: str
    date: str
    seconds: float
