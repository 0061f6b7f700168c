"""The IID assessment of one file as the document that ``--json`` prints; worker processes run it, too."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from esoteric_drbg.conformance.iid.assessment import assess_iid
from esoteric_drbg.conformance.iid.permutation import PERMUTATIONS
from esoteric_drbg.conformance.samples.files import read_samples
from esoteric_drbg.progress import Progress

if TYPE_CHECKING:
    from concurrent.futures import Executor

__all__ = ["iid_document"]


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
    """Assess one file on the IID track. Without `seed`, each file gets its own seed, which its document names."""
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
