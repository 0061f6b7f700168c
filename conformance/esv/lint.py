"""Checks of an evidence bundle: files, hashes, every rule between the fields, and the data against the claim."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import TypeVar

import attrs

from esoteric_drbg.conformance.audit.plan import FULL_RESTARTS, FULL_SAMPLES, RESTART_SAMPLES
from esoteric_drbg.conformance.audit.results import SourceAudit
from esoteric_drbg.conformance.document_files import contradictions, from_document
from esoteric_drbg.conformance.entropy.non_iid import NonIIDAssessment, assess_non_iid
from esoteric_drbg.conformance.esv.bundle import FILES, MANIFEST, Manifest
from esoteric_drbg.conformance.esv.documents import OPEN
from esoteric_drbg.conformance.esv.registration import RBGRegistration, Registration
from esoteric_drbg.conformance.esv.rules import (
    Violations,
    check_assessment,
    check_documents,
    check_rbg,
    check_registration,
)
from esoteric_drbg.conformance.esv.shapes import shape_violations
from esoteric_drbg.conformance.iid.assessment import assess_iid
from esoteric_drbg.conformance.recording.recorder import file_sha256
from esoteric_drbg.conformance.restart.assessment import RestartAssessment, assess_restart
from esoteric_drbg.conformance.samples.files import read_file
from esoteric_drbg.errors import EsotericDRBGError, InvalidInputError

__all__ = ["LintReport", "lint_bundle"]

T = TypeVar("T")


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
        """True if no rule is broken; open points do not count."""
        return not self.violations


def lint_bundle(folder: Path, *, assess: bool = True, threads: int | None = None) -> LintReport:
    """Check an evidence bundle and name each violation.

    Parameters
    ----------
    folder : Path
        A folder that ``write_bundle`` wrote, and that a person may have edited.
    assess : bool
        Whether to assess the data again and compare the claim with the result.
    threads : int, optional
        Number of threads for the estimators.

    Raises
    ------
    InvalidInputError
        If there is no such folder.
    """
    if not folder.is_dir():
        raise InvalidInputError(f"{folder} is no folder")
    lint = Violations()
    _files(lint, folder)
    facts = _document(lint, folder, "registration", Registration)
    rbg = _document(lint, folder, "rbg", RBGRegistration)
    audit = _document(lint, folder, "assessment", SourceAudit)
    if facts is not None:
        check_registration(lint, facts)
    if rbg is not None:
        check_rbg(lint, rbg)
    if facts is not None and audit is not None:
        files = {key: folder / FILES[key] for key in ("raw", "restarts")}
        hashes = {key: file_sha256(path) for key, path in files.items() if path.is_file()}
        check_assessment(lint, audit, facts, hashes)
    if facts is not None and (folder / FILES["report"]).is_file():
        check_documents(lint, (folder / FILES["report"]).read_text(encoding="utf-8", errors="replace"), facts)
    if _sizes(lint, folder) and facts is not None and _widths(lint, folder, facts.bits_per_sample) and assess:
        _data(lint, folder, facts, audit, threads=threads)
    return LintReport(violations=tuple(lint.found), open_points=tuple(_open_points(folder)))


def _document(lint: Violations, folder: Path, key: str, kind: type[T]) -> T | None:
    """Return a document of the bundle; if its shape is wrong, note a violation and return None."""
    name = MANIFEST if key == "manifest" else FILES[key]
    path = folder / name
    if not path.is_file():
        return None  # reported by _files
    try:
        # NaN and infinities are not JSON: read as text, they have the wrong type.
        document = json.loads(path.read_text(encoding="utf-8"), parse_constant=str)
    except (ValueError, OSError, RecursionError) as error:
        lint.found.append(f"{name}: no JSON: {error}")
        return None
    if not lint.require(isinstance(document, dict), f"{name}: expected a JSON object"):
        return None
    if key != "assessment":  # its shape is that of its class
        violations = shape_violations(name, document, key)
        lint.found += violations
        if violations:
            return None
    try:
        value = from_document(kind, document, f"{name}: not the result of an audit" if key == "assessment" else name)
    except InvalidInputError as error:
        lint.found.append(str(error))
        return None
    lint.found += [f"{name}: {words}" for words in contradictions(value, document)]
    return value


def _files(lint: Violations, folder: Path) -> None:
    """Check presence, manifest and hashes, and that there are no other files."""
    manifest = _document(lint, folder, "manifest", Manifest)
    lint.require((folder / MANIFEST).is_file(), f"{MANIFEST} is missing")
    for name in sorted(FILES.values()):
        path = folder / name
        if not lint.require(path.is_file(), f"{name} is missing") or manifest is None:
            continue
        if lint.require(name in manifest.sha256, f"{MANIFEST}: {name} is not listed"):
            same = manifest.sha256[name] == file_sha256(path)
            lint.require(same, f"{name}: SHA-256 differs from the manifest")
    for name in manifest.sha256 if manifest is not None else ():
        lint.require(name in FILES.values(), f"{MANIFEST}: {name} does not belong to the bundle")
    known = {*FILES.values(), MANIFEST}
    for path in sorted(folder.iterdir()):
        lint.require(path.name in known, f"{path.name} does not belong to the bundle")


def _sizes(lint: Violations, folder: Path) -> bool:
    """Check that both data files have as many samples as SP 800-90B requires."""
    sized = True
    for key, expected in (("raw", FULL_SAMPLES), ("restarts", FULL_RESTARTS * RESTART_SAMPLES)):
        path = folder / FILES[key]
        if not path.is_file():
            sized = False  # reported by _files
            continue
        size = path.stat().st_size
        sized &= lint.require(size == expected, f"{path.name} has {size:,} samples, expected exactly {expected:,}")
    return sized


def _widths(lint: Violations, folder: Path, bits: int) -> bool:
    """Check that no sample is wider than the registration says."""
    fits = True
    for key in ("raw", "restarts"):
        path = folder / FILES[key]
        wide = max(read_file(path)) >> bits
        fits &= lint.require(not wide, f"{path.name}: a sample is wider than bitsPerSample = {bits}")
    return fits


def _data(
    lint: Violations, folder: Path, facts: Registration, audit: SourceAudit | None, *, threads: int | None
) -> None:
    """Assess the data again, and compare the claim and the audit's figures with the result."""
    raw, restarts = folder / FILES["raw"], folder / FILES["restarts"]
    bits, h_min = facts.bits_per_sample, facts.hmin_estimate
    if not 0 < h_min <= bits:
        return
    try:
        sequential = assess_non_iid(raw, bits, threads=threads)
        lint.require(
            h_min <= sequential.h_assessed,
            f"hminEstimate {h_min:g} is above {sequential.h_assessed:.6f}, which the raw data show",
        )
        if facts.iid_claim:
            seed = 1 if audit is None or audit.iid is None else audit.iid.seed  # the same permutations as in the audit
            iid = assess_iid(raw, bits, seed=seed, threads=threads)
            lint.require(iid.passed is True, "iidClaim: the raw data fail the IID tests")
        h_initial = min(h_min, sequential.h_assessed)
        restart = assess_restart(restarts, h_initial, bits=bits, iid=facts.iid_claim, threads=threads)
        if not lint.require(restart.sanity_passed, "restarts.bin fails the restart sanity check (SP 800-90B 3.1.4.3)"):
            return
        least = min(figure for figure in (restart.h_row, restart.h_column) if figure is not None)
        lint.require(h_min <= least, f"hminEstimate {h_min:g} is above {least:.6f}, which the restarts show")
        if audit is not None:
            _same_figures(lint, audit, sequential, restart)
    except EsotericDRBGError as error:
        lint.found.append(f"the data cannot be assessed: {error}")


def _same_figures(
    lint: Violations, audit: SourceAudit, sequential: NonIIDAssessment, restart: RestartAssessment
) -> None:
    """Check that the audit's figures are those of the data."""
    for key, said, figure in (
        ("h_original", audit.h_original, sequential.h_original),
        ("h_bitstring", audit.h_bitstring, sequential.h_bitstring),
        ("h_row", audit.h_row, restart.h_row),
        ("h_column", audit.h_column, restart.h_column),
    ):
        same = said == figure or (said is not None and figure is not None and math.isclose(said, figure, rel_tol=1e-9))
        lint.require(same, f"{FILES['assessment']}: {key} is {said!r}, the data give {figure!r}")


def _open_points(folder: Path) -> list[str]:
    """Return the places in the documents that a person still has to write."""
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
