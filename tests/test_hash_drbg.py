"""Hash_DRBG against vectors: our own sequences always, NIST's CAVP, ACVP and example files where they are."""

from __future__ import annotations

import copy
import hashlib
import json
import pickle
import tarfile
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

from esoteric_drbg import errors
from esoteric_drbg import hash_drbg as module
from esoteric_drbg.hash_drbg import LIMITS, HashDRBG
from esoteric_drbg.kernels.reference.hash_drbg import HashDrbgState as ReferenceState

GOLDEN = Path(__file__).parent / "golden" / "hash_drbg_sequences.jsonl"
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
    lines = GOLDEN.read_text().splitlines()[1:]
    return [json.loads(line) for line in lines]


def replay(sequence: dict[str, Any]) -> HashDRBG:
    """Run one operation sequence through the section 9 functions and compare every output."""
    entropy = Entropy()
    drbg = HashDRBG(entropy, hash_name=NAMES[sequence["primitive"]])
    for operation in sequence["ops"]:
        data = {key: bytes.fromhex(operation.get(key) or "") for key in ("entropy", "additional", "pr_entropy")}
        if operation["op"] == "instantiate":
            entropy.inputs.append(data["entropy"])
            drbg.instantiate(
                128,
                prediction_resistance=True,
                nonce=bytes.fromhex(operation["nonce"]),
                personalization_string=bytes.fromhex(operation["personalization"]),
            )
        elif operation["op"] == "reseed":
            entropy.inputs.append(data["entropy"])
            drbg.reseed(data["additional"])
        else:
            fresh = "pr_entropy" in operation
            if fresh:
                entropy.inputs.append(data["pr_entropy"])
            out = drbg.generate(operation["bytes"], prediction_resistance=fresh, additional_input=data["additional"])
            if "out" in operation:
                assert out.hex() == operation["out"]
            else:
                assert hashlib.sha256(out).hexdigest() == operation["out_sha256"]
                assert out.hex().startswith(operation["out_head"])
                assert out.hex().endswith(operation["out_tail"])
        assert not entropy.inputs
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


def seeded(hash_name: str = "sha256", **kwargs: Any) -> tuple[HashDRBG, Entropy]:
    entropy = Entropy(*[bytes([index]) * 48 for index in range(8)])
    drbg = HashDRBG(entropy, hash_name=hash_name)
    drbg.instantiate(256, **kwargs)
    return drbg, entropy


def test_entropy_asked_for_is_three_halves_of_the_strength_without_a_nonce() -> None:
    drbg, entropy = seeded()
    drbg.reseed()
    assert entropy.asked == [384, 256]
    other = HashDRBG(with_nonce := Entropy(bytes(16)))
    other.instantiate(128, nonce=b"n" * 8)
    assert with_nonce.asked == [128]
    assert other.security_strength == 128


@pytest.mark.parametrize(("asked", "given"), [(1, 112), (112, 112), (113, 128), (129, 192), (193, 256), (256, 256)])
def test_strength_is_the_next_of_the_four(asked: int, given: int) -> None:
    drbg = HashDRBG(Entropy(bytes(48)))
    drbg.instantiate(asked)
    assert drbg.security_strength == given


def test_errors_of_instantiate() -> None:
    for strength in (0, -1, 257):
        with pytest.raises(errors.InvalidInputError, match="security_strength"):
            HashDRBG(Entropy(bytes(48))).instantiate(strength)
    with pytest.raises(errors.InvalidInputError, match="hash_name"):
        HashDRBG(Entropy(), hash_name="md5")
    drbg, _ = seeded()
    with pytest.raises(errors.DRBGStateError, match="already instantiated"):
        drbg.instantiate(256)


def test_errors_of_generate() -> None:
    drbg, _ = seeded()
    with pytest.raises(errors.InvalidInputError, match="negative"):
        drbg.generate(-1)
    assert len(drbg.generate(65_536)) == 65_536
    with pytest.raises(errors.RequestTooLargeError, match="65537"):
        drbg.generate(65_537)
    with pytest.raises(errors.InvalidInputError, match="prediction_resistance"):
        drbg.generate(1, prediction_resistance=True)
    weak = HashDRBG(Entropy(bytes(48)))
    weak.instantiate(128)
    with pytest.raises(errors.InvalidInputError, match="offers 128"):
        weak.generate(1, security_strength=129)
    assert drbg.generate(0) == b""


def test_length_limits_of_table_2(monkeypatch: pytest.MonkeyPatch) -> None:
    small = attrs.evolve(
        LIMITS["sha256"],
        max_length=8 * 64,
        max_personalization_string_length=8 * 8,
        max_additional_input_length=8 * 8,
        max_number_of_bits_per_request=8 * 16,
    )
    monkeypatch.setitem(LIMITS, "sha256", small)
    drbg = HashDRBG(Entropy(bytes(64), bytes(65), bytes(32)))
    with pytest.raises(errors.RequestTooLargeError, match="personalization_string has 72 bits"):
        drbg.instantiate(256, personalization_string=bytes(9))
    drbg.instantiate(256, personalization_string=bytes(8))
    with pytest.raises(errors.RequestTooLargeError, match="additional_input"):
        drbg.generate(1, additional_input=bytes(9))
    with pytest.raises(errors.RequestTooLargeError, match="entropy_input has 520 bits"):
        drbg.reseed()
    with pytest.raises(errors.RequestTooLargeError, match="additional_input"):
        drbg.reseed(bytes(9))
    assert len(drbg.generate(16, additional_input=bytes(8))) == 16
    with pytest.raises(errors.RequestTooLargeError):
        drbg.generate(17)


def test_reseed_interval_forces_a_reseed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(LIMITS, "sha256", attrs.evolve(LIMITS["sha256"], reseed_interval=3))
    drbg, entropy = seeded()
    for _ in range(3):
        drbg.generate(1)
    assert entropy.asked == [384]
    assert drbg.state.reseed_counter == 4
    drbg.generate(1)
    assert entropy.asked == [384, 256]
    assert drbg.state.reseed_counter == 2


def test_prediction_resistance_reseeds_every_request_and_uses_the_additional_input_there() -> None:
    drbg, entropy = seeded(prediction_resistance=True)
    twin, _ = seeded(prediction_resistance=True)
    for index in range(3):
        out = drbg.generate(40, prediction_resistance=True, additional_input=b"more")
        twin.reseed(b"more")
        assert out == twin.generate(40)
        assert len(entropy.asked) == index + 2


def test_short_entropy_input_is_refused_and_the_state_kept() -> None:
    drbg = HashDRBG(Entropy(bytes(47), bytes(48), bytes(31), bytes(32)))
    with pytest.raises(errors.ReseedRequiredError, match="376 bits"):
        drbg.instantiate(256)
    assert not drbg.instantiated
    drbg.instantiate(256)
    counter = drbg.state.reseed_counter
    drbg.generate(1)
    with pytest.raises(errors.ReseedRequiredError, match="248 bits"):
        drbg.reseed()
    assert drbg.state.reseed_counter == counter + 1
    drbg.reseed()


def test_entropy_errors_pass_through_and_leave_the_state() -> None:
    def failing(min_entropy: int) -> bytes:
        raise errors.EntropyUnavailableError(f"{min_entropy} bits")

    drbg = HashDRBG(failing)
    with pytest.raises(errors.EntropyUnavailableError, match="384"):
        drbg.instantiate()
    with pytest.raises(errors.DRBGStateError, match="not instantiated"):
        drbg.generate(1)


def test_uninstantiated_and_failed_instances_refuse_everything() -> None:
    drbg, _ = seeded()
    drbg.uninstantiate()
    for call in (lambda: drbg.generate(1), drbg.reseed):
        with pytest.raises(errors.DRBGStateError, match="not instantiated"):
            call()
    drbg.instantiate(256)
    drbg.fail("a test said so")
    for call in (lambda: drbg.generate(1), drbg.reseed):
        with pytest.raises(errors.DRBGStateError, match="a test said so"):
            call()
    drbg.instantiate(256)
    assert len(drbg.generate(1)) == 1


@pytest.mark.parametrize("hash_name", sorted(LIMITS))
def test_a_wrong_known_answer_stops_the_mechanism(hash_name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = module._KNOWN_ANSWERS[hash_name]
    monkeypatch.setitem(module._KNOWN_ANSWERS, hash_name, (first, "00" + second[2:]))
    monkeypatch.setattr(module, "_tested", set())
    drbg = HashDRBG(Entropy(bytes(48)), hash_name=hash_name)
    with pytest.raises(errors.SelfTestError, match=hash_name):
        drbg.instantiate(256)
    assert not drbg.instantiated
    with pytest.raises(errors.DRBGStateError, match="error state"):
        drbg.generate(1)


def test_neither_copied_nor_pickled_nor_shown() -> None:
    drbg, _ = seeded()
    for thing in (drbg, drbg.state):
        for attempt in (copy.copy, copy.deepcopy, pickle.dumps):
            with pytest.raises(errors.CloneRefusedError):
                attempt(thing)
        assert "instantiated" in repr(thing) or "strength" in repr(thing)
        assert len(repr(thing)) < 60
