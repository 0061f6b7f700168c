"""ACVP vector sets of hashDRBG, hmacDRBG and ctrDRBG, revision 1.0: answered, and compared with expected results."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs

from esoteric_drbg.conformance.vectors.cases import CIPHER_NAMES, HASH_NAMES, DrbgCase, Step
from esoteric_drbg.errors import EsotericDRBGError, InvalidInputError
from esoteric_drbg.progress import Progress, silent

__all__ = ["GroupVerdict", "answer", "compare", "read_vector_sets"]

_MECHANISMS = {"hashDRBG": "Hash_DRBG", "hmacDRBG": "HMAC_DRBG", "ctrDRBG": "CTR_DRBG"}
_LENGTHS = {
    "entropyInput": "entropyInputLen",
    "nonce": "nonceLen",
    "persoString": "persoStringLen",
    "additionalInput": "additionalInputLen",
}
#: Largest number of bits that a case may ask for: one Generate request (SP 800-90A tables 2 and 3).
_MOST_BITS = 1 << 19


@attrs.frozen(kw_only=True)
class GroupVerdict:
    """How one test group's answers compare with the expected ones.

    Attributes
    ----------
    vs_id, tg_id : int
    name : str
        Mechanism, primitive and mode.
    passed : int
        Number of cases that are equal.
    differing : tuple of int
        tcIds whose output differs, is missing, or was not expected.
    skipped : str
        Why the group was not run; empty if it was.
    """

    vs_id: int
    tg_id: int
    name: str
    passed: int
    differing: tuple[int, ...]
    skipped: str = ""


def read_vector_sets(path: Path) -> list[dict[str, Any]]:
    """Return the vector sets of a file: one, a list of them, or ACVP's list that begins with its version.

    Raises
    ------
    InvalidInputError
        If the file cannot be read or holds no vector set.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, ValueError, RecursionError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise InvalidInputError(f"{path}: {reason}") from None
    items = document if isinstance(document, list) else [document]
    sets = [item for item in items if not (isinstance(item, dict) and set(item) == {"acvVersion"})]
    for item in sets:
        if not isinstance(item, dict) or "testGroups" not in item:
            raise InvalidInputError(f"{path}: expected vector sets with testGroups")
    if not sets:
        raise InvalidInputError(f"{path}: no vector set")
    return sets


class _Place:
    """A part of a vector set, and its place for error messages."""

    def __init__(self, where: str, content: Any) -> None:
        if not isinstance(content, dict):
            raise InvalidInputError(f"{where}: expected an object, found {type(content).__name__}")
        self.where = where
        self.content = content

    def fail(self, field: str, reason: str) -> InvalidInputError:
        return InvalidInputError(f"{self.where}: {field} {reason}")

    def get(self, field: str, kind: type, default: Any = None) -> Any:
        value = self.content.get(field, default)
        if value is None:
            raise self.fail(field, "is missing")
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise self.fail(field, f"is {type(value).__name__}, expected {kind.__name__}")
        return value

    def number(self, field: str, most: int = 1 << 62) -> int:
        value: int = self.get(field, int)
        if not 0 <= value <= most:
            raise self.fail(field, f"is {value}, expected 0 to {most}")
        return value

    def octets(self, field: str, bits: int | None) -> bytes:
        text = self.get(field, str, "")
        try:
            value = bytes.fromhex(text)
        except ValueError:
            raise self.fail(field, "is no even number of hexadecimal digits") from None
        if bits is not None and 8 * len(value) != bits:
            raise self.fail(field, f"has {8 * len(value)} bits, its group says {bits}")
        return value

    def parts(self, field: str, label: str, key: str) -> Iterator[_Place]:
        """Yield the objects of a list, each named by its identifier."""
        seen = set()
        for index, content in enumerate(self.get(field, list)):
            part = _Place(f"{self.where}, {label} number {index + 1}", content)
            identifier = part.number(key)
            if identifier in seen:
                raise part.fail(key, f"{identifier} occurs twice")
            seen.add(identifier)
            part.where = f"{self.where}, {key} {identifier}"
            yield part


def answer(vector_set: dict[str, Any], progress: Progress | None = None) -> tuple[dict[str, Any], dict[int, str]]:
    """Answer a vector set.

    Parameters
    ----------
    vector_set : dict
        A prompt.
    progress : callable, optional
        ``progress(done, total, step)``, in groups.

    Returns
    -------
    response : dict
        In ACVP's shape: vsId, algorithm, revision, testGroups of tests with returnedBits.
    skipped : dict of int to str
        Why a group was not run, by tgId: its primitive is left out on purpose.

    Raises
    ------
    InvalidInputError
        If the vector set is malformed; the message names vector set, tgId, tcId and field.
    """
    top = _Place("the vector set", vector_set)
    top.where = f"vsId {top.number('vsId') if 'vsId' in vector_set else 0}"
    algorithm = top.get("algorithm", str)
    if algorithm not in _MECHANISMS:
        raise top.fail("algorithm", f"is {algorithm!r}, expected {', '.join(_MECHANISMS)}")
    if top.get("revision", str, "1.0") != "1.0":
        raise top.fail("revision", f"is {vector_set['revision']!r}, expected 1.0")
    groups: list[dict[str, Any]] = []
    identifiers: list[int] = []
    skipped: dict[int, str] = {}
    total = len(top.get("testGroups", list))
    report = progress or silent
    for done, group in enumerate(top.parts("testGroups", "test group", "tgId"), 1):
        tg_id = group.number("tgId")
        reason = _unsupported(algorithm, group.get("mode", str))
        if reason:
            skipped[tg_id] = reason
        else:
            tests = [_test(_MECHANISMS[algorithm], group, test) for test in group.parts("tests", "test", "tcId")]
            groups.append({"tgId": tg_id, "tests": tests})
            identifiers += [test["tcId"] for test in tests]
        report(done, total, group.get("mode", str))
    if len(set(identifiers)) != len(identifiers):
        raise top.fail("tcId", "occurs twice in different groups")
    response = {"vsId": vector_set.get("vsId", 0), "algorithm": algorithm, "revision": "1.0", "testGroups": groups}
    return response, skipped


def _unsupported(algorithm: str, mode: str) -> str:
    if mode in (CIPHER_NAMES if algorithm == "ctrDRBG" else HASH_NAMES):
        return ""
    if mode in {"TDES", "3KeyTDEA"}:
        return f"{mode} is absent on purpose: disallowed since 2024"
    return f"{mode} is not implemented"


def _test(mechanism: str, group: _Place, test: _Place) -> dict[str, Any]:
    bits = group.number("returnedBitsLen", _MOST_BITS)
    if bits % 8:
        raise test.fail("returnedBitsLen", f"is {bits}: only whole bytes are implemented")
    lengths = {field: group.number(key) if key in group.content else None for field, key in _LENGTHS.items()}
    names = CIPHER_NAMES if mechanism == "CTR_DRBG" else HASH_NAMES
    fresh = group.get("predResistance", bool)
    steps = []
    for index, content in enumerate(test.get("otherInput", list), 1):
        place = _Place(f"{test.where}, otherInput {index}", content)
        use = place.get("intendedUse", str)
        if use not in {"generate", "reSeed"}:
            raise place.fail("intendedUse", f"is {use!r}, expected generate or reSeed")
        if use == "reSeed" and not group.get("reSeed", bool):
            raise place.fail("intendedUse", "is reSeed in a group without reseeding")
        needed = lengths["entropyInput"] if use == "reSeed" or fresh else 0
        steps.append(
            Step(
                reseed=use == "reSeed",
                entropy_input=place.octets("entropyInput", needed),
                additional_input=place.octets("additionalInput", lengths["additionalInput"]),
            )
        )
    if not any(not step.reseed for step in steps):
        raise test.fail("otherInput", "has no generate")
    case = DrbgCase(
        mechanism=mechanism,
        primitive=names[group.get("mode", str)],
        derivation_function=group.get("derFunc", bool, True) if mechanism == "CTR_DRBG" else True,
        prediction_resistance=fresh,
        entropy_input=test.octets("entropyInput", lengths["entropyInput"]),
        nonce=test.octets("nonce", lengths["nonce"]),
        personalization_string=test.octets("persoString", lengths["persoString"]),
        steps=steps,
        n_bytes=bits // 8,
    )
    try:
        returned = case.run()
    except EsotericDRBGError as error:
        raise InvalidInputError(f"{test.where}: {error}") from None
    return {"tcId": test.number("tcId"), "returnedBits": returned.hex().upper()}


def compare(
    prompt: dict[str, Any], response: dict[str, Any], skipped: dict[int, str], expected: dict[str, Any]
) -> list[GroupVerdict]:
    """Compare a response with the expected results, group by group.

    Raises
    ------
    InvalidInputError
        If the expected results are malformed, or belong to another vector set.
    """
    top = _Place("the expected results", expected)
    vs_id = response["vsId"]
    if (
        expected.get("vsId", vs_id) != vs_id
        or expected.get("algorithm", response["algorithm"]) != response["algorithm"]
    ):
        raise InvalidInputError(f"the expected results are of another vector set than vsId {vs_id}")
    theirs: dict[int, dict[int, str]] = {}
    for group in top.parts("testGroups", "test group", "tgId"):
        tests = {
            test.number("tcId"): test.get("returnedBits", str).upper() for test in group.parts("tests", "test", "tcId")
        }
        theirs[group.number("tgId")] = tests
    ours = {
        group["tgId"]: {test["tcId"]: test["returnedBits"] for test in group["tests"]}
        for group in response["testGroups"]
    }
    described = {group["tgId"]: _description(prompt, group) for group in prompt["testGroups"]}
    verdicts = []
    for tg_id in sorted({*theirs, *ours, *skipped}):
        left, right = ours.get(tg_id, {}), theirs.get(tg_id, {})
        differing = (
            () if tg_id in skipped else sorted(case for case in {*left, *right} if left.get(case) != right.get(case))
        )
        verdicts.append(
            GroupVerdict(
                vs_id=vs_id,
                tg_id=tg_id,
                name=described.get(tg_id, "not in the prompt"),
                passed=0 if tg_id in skipped else len({*left, *right}) - len(differing),
                differing=tuple(differing),
                skipped=skipped.get(tg_id, ""),
            )
        )
    return verdicts


def _description(prompt: dict[str, Any], group: dict[str, Any]) -> str:
    parts = [prompt["algorithm"], group["mode"]]
    if prompt["algorithm"] == "ctrDRBG":
        parts.append("df" if group.get("derFunc", True) else "no df")
    parts += [text for key, text in (("predResistance", "PR"), ("reSeed", "reseed")) if group.get(key)]
    return " ".join(parts)
