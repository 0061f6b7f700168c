"""The conformance commands: NIST's vectors all equal, differences found, malformed files named by their place."""

from __future__ import annotations

import copy
import json
import tarfile
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from esoteric_drbg import errors
from esoteric_drbg.cli.main import cli
from esoteric_drbg.conformance.vectors.acvp import answer, compare, read_vector_sets
from esoteric_drbg.conformance.vectors.cavp import check_response_file


def vector_set(algorithm: str = "hmacDRBG", mode: str = "SHA2-256", n_tests: int = 2) -> dict[str, Any]:
    """Return a small prompt with a group of reseeding and one of prediction resistance."""
    groups = []
    tc_id = 0
    for tg_id, fresh in ((1, False), (2, True)):
        tests = []
        for _ in range(n_tests):
            tc_id += 1
            steps = (
                [] if fresh else [{"intendedUse": "reSeed", "additionalInput": "aa" * 32, "entropyInput": "bb" * 48}]
            )
            steps += [
                {
                    "intendedUse": "generate",
                    "additionalInput": f"{step:02x}" * 32,
                    "entropyInput": "cc" * 48 if fresh else "",
                }
                for step in range(2)
            ]
            tests.append(
                {
                    "tcId": tc_id,
                    "entropyInput": f"{tc_id % 256:02x}" * 48,
                    "nonce": "01" * 16,
                    "persoString": "02" * 32,
                    "otherInput": steps,
                }
            )
        groups.append(
            {
                "tgId": tg_id,
                "testType": "AFT",
                "derFunc": True,
                "reSeed": True,
                "predResistance": fresh,
                "entropyInputLen": 384,
                "nonceLen": 128,
                "persoStringLen": 256,
                "additionalInputLen": 256,
                "returnedBitsLen": 1024,
                "mode": mode,
                "tests": tests,
            }
        )
    return {"vsId": 7, "algorithm": algorithm, "revision": "1.0", "testGroups": groups}


@pytest.mark.parametrize("name", ["hashDRBG-1.0", "hmacDRBG-1.0", "ctrDRBG-1.0"])
def test_every_acvp_case_of_nist(name: str, vectors: Path) -> None:
    folder = vectors / "drbg" / "acvp" / name
    (prompt,), (expected,) = (read_vector_sets(folder / file) for file in ("prompt.json", "expectedResults.json"))
    response, skipped = answer(prompt)
    verdicts = compare(prompt, response, skipped, expected)
    assert [verdict.differing for verdict in verdicts if verdict.differing] == []
    assert sum(verdict.passed for verdict in verdicts) == (180 if name.startswith("ctr") else 210)
    assert {verdict.name.split()[1].split("-")[0] for verdict in verdicts if verdict.skipped} == (
        {"TDES"} if name.startswith("ctr") else {"SHA3"}
    )


def test_every_cavp_case_of_nist(vectors: Path, tmp_path: Path) -> None:
    with tarfile.open(vectors / "drbg" / "cavp-14.3-rsp.tar.xz") as archive:
        archive.extractall(tmp_path, filter="data")
    passed = skipped = 0
    for path in tmp_path.rglob("*.rsp"):
        for section in check_response_file(path):
            assert section.failing == []
            passed += section.passed
            skipped += section.skipped
    assert (passed, skipped) == (14_400, 1_440)


def test_ten_thousand_cases_take_seconds() -> None:
    prompt = vector_set(n_tests=5000)
    began = time.perf_counter()
    response, _ = answer(prompt)
    assert sum(len(group["tests"]) for group in response["testGroups"]) == 10_000
    assert time.perf_counter() - began < 100  # and some 4 s where nobody else is at work


def test_the_second_output_is_returned() -> None:
    from esoteric_drbg.mechanisms.hmac_drbg import HmacDRBG

    prompt = vector_set()
    response, _ = answer(prompt)
    served = [bytes([1]) * 48, b"\xbb" * 48]
    drbg = HmacDRBG(lambda bits: served.pop(0))
    drbg.instantiate(256, nonce=b"\x01" * 16, personalization_string=b"\x02" * 32)
    drbg.reseed(b"\xaa" * 32)
    drbg.generate(128, additional_input=bytes(32))
    expected = drbg.generate(128, additional_input=b"\x01" * 32)
    assert response["testGroups"][0]["tests"][0]["returnedBits"] == expected.hex().upper()


def test_differences_missing_and_additional_cases_are_found(tmp_path: Path) -> None:
    prompt = vector_set()
    response, _ = answer(prompt)
    (tmp_path / "prompt.json").write_text(json.dumps([{"acvVersion": "1.0"}, prompt]))
    command = ["conformance", "acvp", str(tmp_path / "prompt.json"), str(tmp_path / "expected.json")]
    (tmp_path / "expected.json").write_text(json.dumps(response))
    good = CliRunner().invoke(cli, command)
    assert good.exit_code == 0
    assert "4 cases equal, 0 differ" in good.output
    wrong = copy.deepcopy(response)
    first, second = wrong["testGroups"]
    first["tests"][0]["returnedBits"] = "00" + first["tests"][0]["returnedBits"][2:]
    del first["tests"][1]
    second["tests"].append({"tcId": 99, "returnedBits": "00"})
    (tmp_path / "expected.json").write_text(json.dumps(wrong))
    bad = CliRunner().invoke(cli, [*command, "--json"])
    assert bad.exit_code == 1
    groups = json.loads(bad.stdout)["groups"]
    assert [group["differing"] for group in groups] == [[1, 2], [99]]
    out = tmp_path / "response.json"
    written = CliRunner().invoke(cli, [*command[:3], "-o", str(out)])
    assert written.exit_code == 0
    assert json.loads(out.read_text()) == response


def change(document: dict[str, Any], place: tuple[Any, ...], value: Any) -> dict[str, Any]:
    """Return a copy in which one node has another value, or is gone."""
    document = copy.deepcopy(document)
    node: Any = document
    for key in place[:-1]:
        node = node[key]
    if value is KeyError:
        del node[place[-1]]
    else:
        node[place[-1]] = value
    return document


FIRST = ("testGroups", 0, "tests", 0)


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (("algorithm",), "aesDRBG", "vsId 7: algorithm is 'aesDRBG'"),
        (("revision",), "2.0", "vsId 7: revision is '2.0'"),
        (("testGroups",), {}, "vsId 7: testGroups is dict, expected list"),
        (("testGroups", 1, "tgId"), 1, "tgId 1 occurs twice"),
        (("testGroups", 0, "mode"), KeyError, "tgId 1: mode is missing"),
        (("testGroups", 0, "predResistance"), "no", "predResistance is str, expected bool"),
        (("testGroups", 0, "returnedBitsLen"), 1023, "tgId 1, tcId 1: returnedBitsLen is 1023: only whole bytes"),
        (("testGroups", 0, "returnedBitsLen"), 1 << 20, "returnedBitsLen is 1048576"),
        (("testGroups", 0, "reSeed"), False, "tcId 1, otherInput 1: intendedUse is reSeed in a group without"),
        ((*FIRST, "tcId"), KeyError, "tgId 1, test number 1: tcId is missing"),
        ((*FIRST, "tcId"), 2, "tcId 2 occurs twice"),
        ((*FIRST, "tcId"), 3, "tcId occurs twice in different groups"),
        ((*FIRST, "entropyInput"), "abc", "tcId 1: entropyInput is no even number of hexadecimal digits"),
        ((*FIRST, "nonce"), "ab", "tcId 1: nonce has 8 bits, its group says 128"),
        ((*FIRST, "otherInput"), [], "tcId 1: otherInput has no generate"),
        ((*FIRST, "otherInput", 0, "intendedUse"), "boil", "otherInput 1: intendedUse is 'boil'"),
        (
            ("testGroups", 1, "tests", 0, "otherInput", 0, "entropyInput"),
            "",
            "tgId 2, tcId 3, otherInput 1: entropyInput",
        ),
    ],
)
def test_malformed_sets_name_the_place(place: tuple[Any, ...], value: Any, message: str) -> None:
    with pytest.raises(errors.InvalidInputError) as caught:
        answer(change(vector_set(), place, value))
    assert message in str(caught.value)


def nodes(node: Any, place: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return [*([place] if place else []), *(inner for key, child in children for inner in nodes(child, (*place, key)))]


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    place=st.sampled_from(nodes(vector_set())),
    value=st.sampled_from([KeyError, None, 0, -1, 1.5, True, "", "zz", "ab", [], {}, [[]], 1 << 70, "x" * 1000]),
)
def test_any_change_gives_a_result_or_a_clear_error(place: tuple[Any, ...], value: Any) -> None:
    try:
        response, skipped = answer(change(vector_set(), place, value))
    except errors.InvalidInputError as error:
        message = str(error)
    else:
        message = "vsId"
        json.dumps(response)
        assert all(isinstance(reason, str) for reason in skipped.values())
    assert message.startswith(("vsId", "the vector set"))


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"3", b"[3]", b'{"a": 1}', b"\xff\xfe", b"[" * 100_000])
def test_files_that_are_no_vector_sets(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "prompt.json"
    path.write_bytes(content)
    with pytest.raises(errors.InvalidInputError, match=r"prompt\.json"):
        read_vector_sets(path)
    for other in (tmp_path, tmp_path / "missing.json"):
        with pytest.raises(errors.InvalidInputError):
            read_vector_sets(other)


RSP = """# CAVS 14.3
# HMAC_DRBG
[SHA-256]
[PredictionResistance = False]
[EntropyInputLen = 256]
[NonceLen = 128]
[ReturnedBitsLen = 1024]

COUNT = 0
EntropyInput = ca851911349384bffe89de1cbdc46e6831e44d34a4fb935ee285dd14b71a7488
Nonce = 659ba96c601dc69fc902940805ec0ca8
PersonalizationString =
AdditionalInput =
AdditionalInput =
ReturnedBits = {bits}
"""


def test_response_files(tmp_path: Path) -> None:
    path = tmp_path / "vectors.rsp"
    served = [bytes.fromhex("ca851911349384bffe89de1cbdc46e6831e44d34a4fb935ee285dd14b71a7488")]
    from esoteric_drbg.mechanisms.hmac_drbg import HmacDRBG

    drbg = HmacDRBG(lambda bits: served.pop())
    drbg.instantiate(256, nonce=bytes.fromhex("659ba96c601dc69fc902940805ec0ca8"))
    drbg.generate(128)
    good = RSP.format(bits=drbg.generate(128).hex())
    path.write_text(good)
    (section,) = check_response_file(path)
    assert (section.name, section.passed, section.failing, section.skipped) == ("SHA-256", 1, [], 0)
    path.write_text(RSP.format(bits="00" * 128))
    answer = CliRunner().invoke(cli, ["conformance", "cavp", str(tmp_path)])
    assert answer.exit_code == 1
    assert "SHA-256, line 15, COUNT 0 differs" in answer.output
    path.write_text(good.replace("[SHA-256]", "[3KeyTDEA use df]"))
    assert check_response_file(path)[0].skipped == 1
    for old, new, message in (
        ("Nonce = 659b", "Nonce = 9b", "15: Nonce has 120 bits, NonceLen says 128"),
        ("Nonce = 6", "Nonce = ", "11: Nonce is no even number"),
        ("\nReturnedBits =", "\n#", "15: the file ends in the middle of a case"),
        ("COUNT = 0", "", "15: a case without a section or COUNT"),
        ("COUNT = 0", "nonsense", "9: 'nonsense' is no line"),
        ("AdditionalInput =\n", "", "14: a case has two AdditionalInput"),
        ("# HMAC_DRBG", "#", "neither name nor header"),
    ):
        path.write_text(good.replace(old, new, 1))
        with pytest.raises(errors.InvalidInputError, match=message):
            check_response_file(path)
    path.write_text("# HMAC_DRBG\n")
    with pytest.raises(errors.InvalidInputError, match="no case"):
        check_response_file(path)
