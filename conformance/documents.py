"""Assessments of files as the documents that ``--json`` prints; they run in other processes and on clusters, too."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from esoteric_drbg.conformance.samples.files import read_samples
from esoteric_drbg.progress import Progress

if TYPE_CHECKING:
    from concurrent.futures import Executor

__all__ = ["iid_document", "non_iid_document"]


def non_iid_document(
    path: Path,
    *,
    bits: int | None = None,
    conditioned: bool = False,
    bitstring: Any = "all",
    subset: tuple[int, int] | None = None,
    data_format: Any = "auto",
    column: str | None = None,
    reduction: str | None = None,
    quick: int | None = None,
    threads: int | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Assess one file on the non-IID track; `quick` is the number of samples to look at, all of them if None."""
    from esoteric_drbg.conformance.entropy.non_iid import assess_non_iid  # noqa: PLC0415 - a worker loads one track

    samples = read_samples(path, bits, format=data_format, column=column, subset=subset, reduction=reduction)
    if quick is not None:
        samples = samples.first(quick)
    result = assess_non_iid(samples, conditioned=conditioned, bitstring=bitstring, threads=threads, progress=progress)
    return {"file": str(path), **result.as_dict()}


def iid_document(
    path: Path,
    *,
    bits: int | None = None,
    conditioned: bool = False,
    bitstring: Literal["all", "truncated"] = "all",
    subset: tuple[int, int] | None = None,
    data_format: Any = "auto",
    column: str | None = None,
    reduction: str | None = None,
    seed: int | None = None,
    permutations: int | None = None,
    exact_count: int | None = None,
    threads: int | None = None,
    executor: Executor | None = None,
    progress: Progress | None = None,
    resume: Path | None = None,
) -> dict[str, Any]:
    """Assess one file on the IID track. Without `seed` each file has one of its own, which its document names."""
    from esoteric_drbg.conformance.iid.assessment import assess_iid  # noqa: PLC0415 - a worker loads one track
    from esoteric_drbg.conformance.iid.permutation import PERMUTATIONS  # noqa: PLC0415

    samples = read_samples(path, bits, format=data_format, column=column, subset=subset, reduction=reduction)
    result = assess_iid(
        samples,
        conditioned=conditioned,
        bitstring=bitstring,
        seed=seed,
        permutations=PERMUTATIONS if permutations is None else permutations,
        exact_count=exact_count,
        threads=threads,
        executor=executor,
        progress=progress,
        resume=resume,
    )
    return {"file": str(path), **result.as_dict()}
