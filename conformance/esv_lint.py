"""Checks of an evidence bundle: files, hashes, every rule between the fields, and the data against the claim."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import attrs

from esoteric_drbg.conformance.audit import FULL_RESTARTS, FULL_SAMPLES, RESTART_SAMPLES
from esoteric_drbg.conformance.conditioning_entropy import conditioning_output_entropy
from esoteric_drbg.conformance.esv_bundle import CONDITIONER, CONDITIONER_NW, FILES, MANIFEST, NAME_CHARACTERS
from esoteric_drbg.conformance.esv_documents import OPEN
from esoteric_drbg.conformance.iid_assessment import assess_iid
from esoteric_drbg.conformance.non_iid import assess_non_iid
from esoteric_drbg.conformance.recording import file_sha256
from esoteric_drbg.conformance.restart import assess_restart
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


class _Lint:
    """Collects violations."""

    def __init__(self) -> None:
        self.violations: list[str] = []

    def require(self, met: bool, violation: str) -> bool:
        if not met:
            self.violations.append(violation)
        return met

    def number(
        self, where: str, document: dict[str, Any], key: str, low: float, high: float = math.inf
    ) -> float | None:
        """Return the number at a key if it is one and in range."""
        value = document.get(key)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            self.violations.append(f"{where}: {key} is {value!r}, expected a number")
            return None
        if not low <= value <= high:
            self.violations.append(f"{where}: {key} is {value}, expected {low:g} to {high:g}")
            return None
        return value

    def boolean(self, where: str, document: dict[str, Any], key: str) -> bool | None:
        value = document.get(key)
        self.require(isinstance(value, bool), f"{where}: {key} is {value!r}, expected true or false")
        return value if isinstance(value, bool) else None


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
    lint = _Lint()
    _files(lint, folder)
    facts = _document(lint, folder / FILES["registration"])
    rbg = _document(lint, folder / FILES["rbg"])
    if facts is not None:
        _registration(lint, facts)
        _data(lint, folder, facts, assess=assess, threads=threads)
    if rbg is not None:
        _rbg(lint, rbg)
    return LintReport(violations=tuple(lint.violations), open_points=tuple(_open_points(folder)))


def _document(lint: _Lint, path: Path) -> dict[str, Any] | None:
    if not path.is_file():
        return None  # said by _files
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError, RecursionError) as error:
        lint.violations.append(f"{path.name}: no JSON: {error}")
        return None
    if not lint.require(isinstance(document, dict), f"{path.name}: expected a JSON object"):
        return None
    return dict(document)


def _files(lint: _Lint, folder: Path) -> None:
    """Presence, manifest, hashes, and nothing else."""
    manifest = _document(lint, folder / MANIFEST)
    lint.require((folder / MANIFEST).is_file(), f"{MANIFEST} is missing")
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
    known = {*FILES.values(), MANIFEST}
    for path in sorted(folder.iterdir()):
        lint.require(path.name in known, f"{path.name} does not belong to the bundle")


def _registration(lint: _Lint, facts: dict[str, Any]) -> None:
    where = FILES["registration"]
    name = facts.get("primaryNoiseSource")
    lint.require(
        isinstance(name, str) and 1 <= len(name) <= NAME_CHARACTERS,
        f"{where}: primaryNoiseSource has to have 1 to {NAME_CHARACTERS} characters",
    )
    for key in ("iidClaim", "physical", "additionalNoiseSources"):
        lint.boolean(where, facts, key)
    bits = lint.number(where, facts, "bitsPerSample", 1, 8)
    h_min = lint.number(where, facts, "hminEstimate", 0, bits or 8)
    lint.require(h_min != 0, f"{where}: hminEstimate is 0: nothing is claimed")
    lint.number(where, facts, "numberOfRestarts", FULL_RESTARTS)
    lint.number(where, facts, "samplesPerRestart", RESTART_SAMPLES)
    lint.number(where, facts, "numberOfOEs", 1)
    components = facts.get("conditioningComponent")
    if not lint.require(isinstance(components, list), f"{where}: conditioningComponent is no list"):
        return
    assert isinstance(components, list)  # noqa: S101 - for the type checker
    before: float | None = None
    for index, component in enumerate(components, 1):
        place = f"{where}: conditioningComponent {index}"
        if lint.require(isinstance(component, dict), f"{place} is no object"):
            before = _component(lint, place, component, index, bits, h_min, before)


def _component(
    lint: _Lint,
    where: str,
    component: dict[str, Any],
    index: int,
    bits: float | None,
    h_min: float | None,
    before: float | None,
) -> float | None:
    """Check one conditioning component and return its hOut, for the next one."""
    lint.require(component.get("sequencePosition") == index, f"{where}: sequencePosition is not {index}")
    vetted = lint.boolean(where, component, "vetted")
    n_in = lint.number(where, component, "minNin", 1)
    n_out = lint.number(where, component, "nOut", 1)
    nw = lint.number(where, component, "nw", 1)
    h_in = lint.number(where, component, "minHin", 0)
    h_out = lint.number(where, component, "hOut", 0)
    if component.get("description") == CONDITIONER:
        lint.require(vetted is True, f"{where}: {CONDITIONER} is vetted (SP 800-90B 3.1.5.1.1)")
        lint.require(nw == CONDITIONER_NW, f"{where}: nw of {CONDITIONER} is {CONDITIONER_NW}")
    elif vetted:
        lint.violations.append(
            f"{where}: description {component.get('description')!r}: this module conditions by {CONDITIONER}"
        )
    if n_in is None or n_out is None or nw is None or h_in is None or h_out is None:
        return h_out
    lint.require(h_in <= n_in, f"{where}: minHin {h_in:g} is above minNin {n_in:g}")
    lint.require(h_out <= n_out, f"{where}: hOut {h_out:g} is above nOut {n_out:g}")
    if index == 1 and bits and h_min:
        held = n_in / 8 * h_min  # one byte a sample
        lint.require(h_in <= held + 1e-9, f"{where}: minHin {h_in:g} is above minNin / 8 x hminEstimate = {held:g}")
    if before is not None:
        lint.require(
            h_in <= before + 1e-9, f"{where}: minHin {h_in:g} is above hOut {before:g} of the component before it"
        )
    if vetted:
        try:
            expected = conditioning_output_entropy(int(n_in), int(n_out), int(nw), min(h_in, n_in)).h_out
        except InvalidInputError as error:
            lint.violations.append(f"{where}: {error}")
        else:
            lint.require(
                math.isclose(h_out, expected, rel_tol=1e-12),
                f"{where}: hOut is {h_out!r}, SP 800-90B 3.1.5.1.2 gives {expected!r}",
            )
    return h_out


def _rbg(lint: _Lint, rbg: dict[str, Any]) -> None:
    where = FILES["rbg"]
    construction = str(rbg.get("construction"))
    lint.require(construction.startswith("RBG2"), f"{where}: construction is {construction}, expected RBG2")
    strength = lint.number(where, rbg, "securityStrength", 112, 256)
    instantiate = lint.number(where, rbg, "instantiateEntropyBits", 1)
    reseed = lint.number(where, rbg, "reseedEntropyBits", 1)
    lint.number(where, rbg, "reseedOutputBits", 1, 1 << 17)
    lint.number(where, rbg, "maxBitsPerRequest", 1, 1 << 19)
    if strength and instantiate:
        needed = strength * 3 / 2
        lint.require(instantiate >= needed, f"{where}: instantiateEntropyBits {instantiate:g} is below {needed:g}")
    if strength and reseed:
        lint.require(reseed >= strength, f"{where}: reseedEntropyBits {reseed:g} is below the strength {strength:g}")


def _data(lint: _Lint, folder: Path, facts: dict[str, Any], *, assess: bool, threads: int | None) -> None:
    """Check the data files against the registration, and the claim against the data."""
    raw, restarts = folder / FILES["raw"], folder / FILES["restarts"]
    rows, columns = facts.get("numberOfRestarts"), facts.get("samplesPerRestart")
    bits, h_min = facts.get("bitsPerSample"), facts.get("hminEstimate")
    sized = True
    for path, expected in ((raw, FULL_SAMPLES), (restarts, FULL_RESTARTS * RESTART_SAMPLES)):
        if not path.is_file():
            sized = False
            continue
        size = path.stat().st_size
        sized &= lint.require(size == expected, f"{path.name} has {size:,} samples, expected exactly {expected:,}")
    if not (isinstance(rows, int) and isinstance(columns, int) and isinstance(bits, int) and 1 <= bits <= 8):
        return
    lint.require(
        rows * columns == FULL_RESTARTS * RESTART_SAMPLES,
        f"{FILES['registration']}: {rows} restarts of {columns} samples are not the file's {FULL_SAMPLES:,} samples",
    )
    if not sized:
        return
    for path in (raw, restarts):
        wide = max(path.read_bytes()) >> bits
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
            lint.require(
                assess_iid(raw, bits, threads=threads).passed is True, "iidClaim: the raw data fail the IID tests"
            )
        restart = assess_restart(restarts, min(h_min, sequential.h_assessed), bits=bits, threads=threads)
        if lint.require(restart.sanity_passed, "restarts.bin fails the restart sanity check (SP 800-90B 3.1.4.3)"):
            assert restart.h_row is not None  # noqa: S101 - estimated where the sanity check passed
            assert restart.h_column is not None  # noqa: S101
            least = min(restart.h_row, restart.h_column)
            lint.require(h_min <= least, f"hminEstimate {h_min:g} is above {least:.6f}, which the restarts show")
    except EsotericDRBGError as error:
        lint.violations.append(f"the data cannot be assessed: {error}")


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
