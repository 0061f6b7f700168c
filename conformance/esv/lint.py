"""Checks of an evidence bundle: files, hashes, every rule between the fields, and the data against the claim."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import attrs

from esoteric_drbg.conformance.audit.plan import FULL_RESTARTS, FULL_SAMPLES, RESTART_SAMPLES
from esoteric_drbg.conformance.entropy.non_iid import assess_non_iid
from esoteric_drbg.conformance.esv.bundle import FILES, MANIFEST
from esoteric_drbg.conformance.esv.documents import OPEN
from esoteric_drbg.conformance.esv.rules import (
    Violations,
    check_assessment,
    check_documents,
    check_rbg,
    check_registration,
)
from esoteric_drbg.conformance.iid.assessment import assess_iid
from esoteric_drbg.conformance.recording.recorder import file_sha256
from esoteric_drbg.conformance.restart.assessment import assess_restart
from esoteric_drbg.conformance.samples.files import read_file
from esoteric_drbg.errors import EsotericDRBGError, InvalidInputError

__all__ = ["LintReport", "lint_bundle"]


@attrs.frozen(kw_only=True)
class LintReport:
    """Result of :func:`lint_bundle`.

    Attributes
    ----------
    violations : tuple of str
        Rules that are broken, each with its place.
    open_points : tuple of str
        What a person still has to write.
    """

    violations: tuple[str, ...]
    open_points: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """True where no rule is broken; open points do not count."""
        return not self.violations


def lint_bundle(folder: Path, *, assess: bool = True, threads: int | None = None) -> LintReport:
    """Check an evidence bundle and name each violation.

    Parameters
    ----------
    folder : Path
        What ``write_bundle`` wrote, and a person may have changed.
    assess : bool
        Whether to assess the data again, and compare the claim with what they show.
    threads : int, optional
        Threads of the estimators.

    Raises
    ------
    InvalidInputError
        If the folder is none.
    """
    if not folder.is_dir():
        raise InvalidInputError(f"{folder} is no folder")
    lint = Violations()
    _files(lint, folder)
    facts, rbg, assessment = (_document(lint, folder / FILES[key]) for key in ("registration", "rbg", "assessment"))
    if facts is not None:
        check_registration(lint, facts)
    if rbg is not None:
        check_rbg(lint, rbg)
    if facts is not None and assessment is not None:
        files = {key: folder / FILES[key] for key in ("raw", "restarts")}
        hashes = {key: file_sha256(path) for key, path in files.items() if path.is_file()}
        check_assessment(lint, assessment, facts, hashes)
    if facts is not None and (folder / FILES["report"]).is_file():
        check_documents(lint, (folder / FILES["report"]).read_text(encoding="utf-8", errors="replace"), facts)
    if facts is not None:
        _data(lint, folder, facts, assessment or {}, assess=assess, threads=threads)
    return LintReport(violations=tuple(lint.found), open_points=tuple(_open_points(folder)))


def _document(lint: Violations, path: Path) -> dict[str, Any] | None:
    if not path.is_file():
        return None  # said by _files
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError, RecursionError) as error:
        lint.found.append(f"{path.name}: no JSON: {error}")
        return None
    if not lint.require(isinstance(document, dict), f"{path.name}: expected a JSON object"):
        return None
    return dict(document)


def _files(lint: Violations, folder: Path) -> None:
    """Presence, manifest, hashes, and nothing else."""
    manifest = _document(lint, folder / MANIFEST)
    lint.require((folder / MANIFEST).is_file(), f"{MANIFEST} is missing")
    if manifest is not None:
        lint.require(manifest.get("format") == 1, f"{MANIFEST}: format is {manifest.get('format')!r}, expected 1")
    listed = (manifest or {}).get("sha256")
    hashes: dict[str, Any] = listed if isinstance(listed, dict) else {}
    if manifest is not None:
        lint.require(isinstance(listed, dict), f"{MANIFEST}: sha256 is no object")
    for name in sorted(FILES.values()):
        path = folder / name
        if not lint.require(path.is_file(), f"{name} is missing") or manifest is None:
            continue
        if lint.require(name in hashes, f"{MANIFEST}: {name} is not listed"):
            lint.require(hashes[name] == file_sha256(path), f"{name}: SHA-256 differs from the manifest")
    for name in hashes:
        lint.require(name in FILES.values(), f"{MANIFEST}: {name} does not belong to the bundle")
    known = {*FILES.values(), MANIFEST}
    for path in sorted(folder.iterdir()):
        lint.require(path.name in known, f"{path.name} does not belong to the bundle")


def _data(
    lint: Violations,
    folder: Path,
    facts: dict[str, Any],
    assessment: dict[str, Any],
    *,
    assess: bool,
    threads: int | None,
) -> None:
    """Check the data files against the registration, and the claim against the data."""
    raw, restarts = folder / FILES["raw"], folder / FILES["restarts"]
    bits, h_min = facts.get("bitsPerSample"), facts.get("hminEstimate")
    sized = True
    for path, expected in ((raw, FULL_SAMPLES), (restarts, FULL_RESTARTS * RESTART_SAMPLES)):
        if not path.is_file():
            sized = False
            continue
        size = path.stat().st_size
        sized &= lint.require(size == expected, f"{path.name} has {size:,} samples, expected exactly {expected:,}")
    if not (isinstance(bits, int) and 1 <= bits <= 8):
        return
    if not sized:
        return
    for path in (raw, restarts):
        wide = max(read_file(path)) >> bits
        sized &= lint.require(not wide, f"{path.name}: a sample is wider than bitsPerSample = {bits}")
    if not (assess and sized and isinstance(h_min, (int, float)) and 0 < h_min <= bits):
        return
    try:
        sequential = assess_non_iid(raw, bits, threads=threads)
        lint.require(
            h_min <= sequential.h_assessed,
            f"hminEstimate {h_min:g} is above {sequential.h_assessed:.6f}, which the raw data show",
        )
        if facts.get("iidClaim") is True:
            seed = (assessment.get("iid") or {}).get("seed")  # the audit's own permutations, once more
            iid = assess_iid(raw, bits, seed=seed if isinstance(seed, int) else 1, threads=threads)
            lint.require(iid.passed is True, "iidClaim: the raw data fail the IID tests")
        h_initial = min(h_min, sequential.h_assessed)
        iid_claim = facts.get("iidClaim") is True
        restart = assess_restart(restarts, h_initial, bits=bits, iid=iid_claim, threads=threads)
        if lint.require(restart.sanity_passed, "restarts.bin fails the restart sanity check (SP 800-90B 3.1.4.3)"):
            assert restart.h_row is not None  # noqa: S101 - estimated where the sanity check passed
            assert restart.h_column is not None  # noqa: S101
            least = min(restart.h_row, restart.h_column)
            lint.require(h_min <= least, f"hminEstimate {h_min:g} is above {least:.6f}, which the restarts show")
            figures = {
                "h_original": sequential.h_original,
                "h_bitstring": sequential.h_bitstring,
                "h_row": restart.h_row,
                "h_column": restart.h_column,
            }
            for key, figure in figures.items():
                said = assessment.get(key)
                same = said == figure or (
                    isinstance(said, (int, float)) and figure is not None and math.isclose(said, figure, rel_tol=1e-9)
                )
                lint.require(same, f"{FILES['assessment']}: {key} is {said!r}, the data give {figure!r}")
    except EsotericDRBGError as error:
        lint.found.append(f"the data cannot be assessed: {error}")


def _open_points(folder: Path) -> list[str]:
    """Return where the documents still wait for a person."""
    points = []
    for key in ("report", "public_use"):
        path = folder / FILES[key]
        if path.is_file():
            for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
                if OPEN in line:
                    points.append(
                        f"{path.name}:{number}: {re.sub(r'[*#|-]+', ' ', line.replace(OPEN, '')).strip()[:70]}"
                    )
    return points
