"""The non-IID assessment of one file as the document that ``--json`` prints; worker processes run it, too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from esoteric_drbg.conformance.entropy.non_iid import assess_non_iid
from esoteric_drbg.conformance.samples.files import read_samples
from esoteric_drbg.progress import Progress

__all__ = ["non_iid_document"]


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
    """Assess one file on the non-IID track; `quick` is the number of samples to assess, all of them if None."""
    samples = read_samples(path, bits, format=data_format, column=column, subset=subset, reduction=reduction)
    if quick is not None:
        samples = samples.first(quick)
    result = assess_non_iid(samples, conditioned=conditioned, bitstring=bitstring, threads=threads, progress=progress)
    return {"file": str(path), **result.as_dict()}
