"""NIST's CAVP response files (.rsp) of Hash_DRBG, HMAC_DRBG and CTR_DRBG: every case is replayed and compared."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import attrs

from esoteric_drbg.conformance.vectors.cases import CIPHER_NAMES, HASH_NAMES, DrbgCase, Step
from esoteric_drbg.errors import EsotericDRBGError, InvalidInputError

__all__ = ["SectionVerdict", "check_response_file"]

_MECHANISMS = (("hash_drbg", "Hash_DRBG"), ("hmac_drbg", "HMAC_DRBG"), ("ctr_drbg", "CTR_DRBG"))


@attrs.define(kw_only=True)
class SectionVerdict:
    """Result of one section of a response file: a primitive with its mode.

    Attributes
    ----------
    name : str
        As in the file, without its brackets: ``"AES-256 use df"``.
    passed : int
        Number of cases whose ReturnedBits are equal.
    failing : list of str
        The other cases, by line of their ReturnedBits and COUNT.
    skipped : int
        Number of cases of a primitive that is left out on purpose.
    """

    name: str
    passed: int = 0
    failing: list[str] = attrs.field(factory=list)
    skipped: int = 0


def check_response_file(path: Path, mechanism: str | None = None) -> list[SectionVerdict]:
    """Replay every case of a response file.

    Parameters
    ----------
    path : Path
        The file.
    mechanism : str, optional
        ``"Hash_DRBG"``, ``"HMAC_DRBG"`` or ``"CTR_DRBG"``; found from the file's name or header if None.

    Raises
    ------
    InvalidInputError
        If the file cannot be read or a case is malformed; the message names the line.
    """
    try:
        lines = path.read_text(encoding="ascii").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "no text in ASCII"
        raise InvalidInputError(f"{path}: {reason}") from None
    mechanism = mechanism or _mechanism_of(path, lines)
    sections: dict[str, SectionVerdict] = {}
    for section, options, number, fields in _cases(path, lines):
        verdict = sections.setdefault(section, SectionVerdict(name=section))
        primitive = (CIPHER_NAMES if mechanism == "CTR_DRBG" else HASH_NAMES).get(section.split(" ")[0])
        if primitive is None:
            verdict.skipped += 1
            continue
        case = _case(path, number, mechanism, primitive, section, options, fields)
        try:
            equal = case.run() == fields["ReturnedBits"][0]
        except EsotericDRBGError as error:
            raise InvalidInputError(f"{path}:{number}: {error}") from None
        if equal:
            verdict.passed += 1
        else:
            verdict.failing.append(f"line {number}, COUNT {options['COUNT']}")
    if not sections:
        raise InvalidInputError(f"{path}: no case in it")
    return list(sections.values())


def _mechanism_of(path: Path, lines: list[str]) -> str:
    for text in (path.name.lower(), *(line.lower() for line in lines[:12])):
        for key, mechanism in _MECHANISMS:
            if key in text:
                return mechanism
    raise InvalidInputError(f"{path}: neither name nor header says which of Hash_DRBG, HMAC_DRBG, CTR_DRBG it is of")


def _cases(path: Path, lines: list[str]) -> Iterator[tuple[str, dict[str, str], int, dict[str, list[bytes]]]]:
    """Yield section, options, line of ReturnedBits and fields of each case."""
    section = ""
    options: dict[str, str] = {}
    fields: dict[str, list[bytes]] = {}
    for number, raw in enumerate(lines, 1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        option = re.fullmatch(r"\[(\w+) = (\w+)\]", line)
        field = re.fullmatch(r"(\w+) =\s*(\w*)", line)
        if option:
            options[option[1]] = option[2]
        elif line.startswith("[") and line.endswith("]"):
            section, options = line[1:-1], {}
        elif field and field[1] == "COUNT":
            if fields:
                raise InvalidInputError(f"{path}:{number}: the case before has no ReturnedBits")
            options = {**options, "COUNT": field[2]}
        elif field:
            try:
                fields.setdefault(field[1], []).append(bytes.fromhex(field[2]))
            except ValueError:
                raise InvalidInputError(
                    f"{path}:{number}: {field[1]} is no even number of hexadecimal digits"
                ) from None
            if field[1] == "ReturnedBits":
                if not section or "COUNT" not in options:
                    raise InvalidInputError(f"{path}:{number}: a case without a section or COUNT")
                yield section, options, number, fields
                fields = {}
        else:
            raise InvalidInputError(f"{path}:{number}: {line[:40]!r} is no line of a response file")
    if fields:
        raise InvalidInputError(f"{path}:{len(lines)}: the file ends in the middle of a case")


def _case(
    path: Path,
    number: int,
    mechanism: str,
    primitive: str,
    section: str,
    options: dict[str, str],
    fields: dict[str, list[bytes]],
) -> DrbgCase:
    where = f"{path}:{number}"
    fresh = options.get("PredictionResistance") == "True"
    for name in ("EntropyInput", "Nonce", "PersonalizationString", "AdditionalInput"):
        if name not in fields:
            raise InvalidInputError(f"{where}: the case has no {name}")
    for name, option in (("EntropyInput", "EntropyInputLen"), ("Nonce", "NonceLen")):
        stated = options.get(option)
        if stated is not None and stated.isdigit() and int(stated) != 8 * len(fields[name][0]):
            raise InvalidInputError(f"{where}: {name} has {8 * len(fields[name][0])} bits, {option} says {stated}")
    additional, reseeds = fields["AdditionalInput"], fields.get("EntropyInputReseed", [])
    fresh_inputs = fields.get("EntropyInputPR", [])
    if len(additional) != 2 or (fresh and len(fresh_inputs) != 2):
        raise InvalidInputError(
            f"{where}: a case has two AdditionalInput, and two EntropyInputPR with prediction resistance"
        )
    reseed_inputs = fields.get("AdditionalInputReseed", [b""] * len(reseeds))
    if len(reseed_inputs) != len(reseeds):
        raise InvalidInputError(f"{where}: EntropyInputReseed and AdditionalInputReseed do not go together")
    steps = [
        Step(reseed=True, entropy_input=entropy, additional_input=other)
        for entropy, other in zip(reseeds, reseed_inputs, strict=True)
    ]
    steps += [
        Step(reseed=False, entropy_input=fresh_inputs[index] if fresh else b"", additional_input=other)
        for index, other in enumerate(additional)
    ]
    return DrbgCase(
        mechanism=mechanism,
        primitive=primitive,
        derivation_function="no df" not in section,
        prediction_resistance=fresh,
        entropy_input=fields["EntropyInput"][0],
        nonce=fields["Nonce"][0],
        personalization_string=fields["PersonalizationString"][0],
        steps=steps,
        n_bytes=len(fields["ReturnedBits"][0]),
    )
