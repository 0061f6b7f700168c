"""Hash_DRBG against vectors: our own sequences always, NIST's CAVP, ACVP and example files where they are."""

from __future__ import annotations

import json
import tarfile
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from places import GOLDEN
from sequences import play

from esoteric_drbg.kernels.reference.hash_drbg import HashDrbgState as ReferenceState
from esoteric_drbg.mechanisms.hash_drbg import HashDRBG

SEQUENCES = GOLDEN / "hash_drbg_sequences.jsonl"
NAMES = {"SHA-256": "sha256", "SHA-384": "sha384", "SHA-512": "sha512"}
NAMES |= {name.replace("SHA-", "SHA2-"): value for name, value in list(NAMES.items())}


class Entropy:
    """Get_entropy_input that hands out what a vector says, and checks what was asked for."""

    def __init__(self, *inputs: bytes) -> None:
        self.inputs = deque(inputs)
        self.asked: list[int] = []

    def __call__(self, min_entropy: int) -> bytes:
        self.asked.append(min_entropy)
        return self.inputs.popleft()


def golden_sequences() -> list[dict[str, Any]]:
    lines = SEQUENCES.read_text().splitlines()[1:]
    return [json.loads(line) for line in lines]


def replay(sequence: dict[str, Any]) -> HashDRBG:
    """Run one operation sequence through the section 9 functions and compare every output."""
    entropy = Entropy()
    drbg = HashDRBG(entropy, hash_name=NAMES[sequence["primitive"]])
    play(drbg, entropy.inputs, sequence["ops"])
    return drbg


@pytest.mark.parametrize(
    "sequence", golden_sequences(), ids=lambda sequence: f"{sequence['primitive']}-{sequence['id']}"
)
def test_own_sequences_equal_their_recorded_outputs(sequence: dict[str, Any]) -> None:
    drbg = replay(sequence)
    if isinstance(drbg.state, ReferenceState):
        final = sequence["final_state"]
        assert drbg.state._v == int(final["V"], 16)
        assert drbg.state._c == int(final["C"], 16)


def cavp_cases(vectors: Path) -> Iterator[tuple[str, str, dict[str, list[bytes]]]]:
    """Yield (file, hash name, fields) of every SHA-256, -384 and -512 case of the CAVS 14.3 response files."""
    with tarfile.open(vectors / "drbg" / "cavp-14.3-rsp.tar.xz") as archive:
        for member in archive.getmembers():
            if not member.name.endswith("Hash_DRBG.rsp"):
                continue
            file = archive.extractfile(member)
            assert file is not None
            hash_name = ""
            fields: dict[str, list[bytes]] = {}
            for raw in file.read().decode("ascii").splitlines():
                line = raw.strip()
                if line.startswith("[SHA-"):
                    hash_name = line[1:-1]
                elif " = " in f"{line} " and not line.startswith(("[", "#", "COUNT")):
                    key, _, value = line.partition(" =")
                    fields.setdefault(key.strip(), []).append(bytes.fromhex(value.strip()))
                    if key.strip() == "ReturnedBits":
                        if hash_name in NAMES:
                            yield member.name.split("/")[1], NAMES[hash_name], fields
                        fields = {}


def test_every_cavp_case(vectors: Path) -> None:
    counts: dict[str, int] = {}
    for file, hash_name, fields in cavp_cases(vectors):
        fresh = "EntropyInputPR" in fields
        entropy = Entropy(
            fields["EntropyInput"][0],
            *fields.get("EntropyInputReseed", []),
            *fields.get("EntropyInputPR", []),
        )
        drbg = HashDRBG(entropy, hash_name=hash_name)
        drbg.instantiate(
            8 * min(len(fields["EntropyInput"][0]), 32),
            prediction_resistance=fresh,
            nonce=fields["Nonce"][0],
            personalization_string=fields["PersonalizationString"][0],
        )
        if "EntropyInputReseed" in fields:
            drbg.reseed(fields["AdditionalInputReseed"][0])
        for additional_input in fields["AdditionalInput"]:
            out = drbg.generate(
                len(fields["ReturnedBits"][0]), prediction_resistance=fresh, additional_input=additional_input
            )
        assert out == fields["ReturnedBits"][0], (file, hash_name)
        counts[f"{file} {hash_name}"] = counts.get(f"{file} {hash_name}", 0) + 1
    assert sorted(set(counts.values())) == [240]
    assert len(counts) == 9


def test_every_acvp_case(vectors: Path) -> None:
    folder = vectors / "drbg" / "acvp" / "hashDRBG-1.0"
    expected = {
        test["tcId"]: test["returnedBits"]
        for group in json.loads((folder / "expectedResults.json").read_text())["testGroups"]
        for test in group["tests"]
    }
    checked = 0
    for group in json.loads((folder / "prompt.json").read_text())["testGroups"]:
        if group["mode"] not in NAMES:
            continue
        for test in group["tests"]:
            entropy = Entropy(bytes.fromhex(test["entropyInput"]))
            drbg = HashDRBG(entropy, hash_name=NAMES[group["mode"]])
            drbg.instantiate(
                min(group["entropyInputLen"], 256),
                prediction_resistance=group["predResistance"],
                nonce=bytes.fromhex(test["nonce"]),
                personalization_string=bytes.fromhex(test["persoString"]),
            )
            out = b""
            for step in test["otherInput"]:
                additional_input = bytes.fromhex(step["additionalInput"])
                if step["entropyInput"]:
                    entropy.inputs.append(bytes.fromhex(step["entropyInput"]))
                if step["intendedUse"] == "reSeed":
                    drbg.reseed(additional_input)
                else:
                    out = drbg.generate(
                        group["returnedBitsLen"] // 8,
                        prediction_resistance=group["predResistance"],
                        additional_input=additional_input,
                    )
            assert out.hex().upper() == expected[test["tcId"]].upper(), test["tcId"]
            checked += 1
    assert checked >= 90
