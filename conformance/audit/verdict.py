"""The verdict on a claim, and on the restart sanity checks of many sources together."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from esoteric_drbg.conformance.audit.results import Verdict
from esoteric_drbg.conformance.entropy.non_iid import NonIIDAssessment
from esoteric_drbg.conformance.iid.assessment import IidAssessment
from esoteric_drbg.conformance.iid.multiplicity import FamilyVerdict, family_verdict
from esoteric_drbg.conformance.restart.assessment import RestartAssessment

__all__ = ["judge", "restart_family"]

#: Probability that the restart sanity check of SP 800-90B 3.1.4.3 fails a source whose min-entropy is exactly H_I.
RESTART_ALPHA = 0.01


def restart_family(passed: Sequence[bool]) -> FamilyVerdict:
    """Return whether chance explains the failed restart sanity checks: each fails by chance in 1 % of cases at most.

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


def judge(
    h_submitter: float,
    credit: float,
    sequential: NonIIDAssessment,
    iid: IidAssessment | None,
    restart: RestartAssessment,
) -> tuple[Verdict, tuple[str, ...]]:
    """Return the verdict on a claim, and the reasons for it."""
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
