"""Evidence bundles: complete, reproducible, and every rule of the lint broken once."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest
from click.testing import CliRunner
from fakes import Fake, simulated

from esoteric_drbg import errors
from esoteric_drbg.cli.main import cli
from esoteric_drbg.conformance.audit import claim_audit as audit_module
from esoteric_drbg.conformance.audit.claim_audit import SourceAudit, audit_source
from esoteric_drbg.conformance.esv.bundle import FILES, MANIFEST, registration, write_bundle
from esoteric_drbg.conformance.esv.lint import lint_bundle
from esoteric_drbg.conformance.recording.recorder import file_sha256
from esoteric_drbg.kernels import kernel_info
from esoteric_drbg.noise_sources import Claim, registry
from esoteric_drbg.noise_sources.evidence import measured

pytestmark = pytest.mark.skipif(
    kernel_info().name != "rust", reason="a bundle has 2,000,000 samples: minutes with the reference kernels"
)


class Simulated(Fake):
    """Simulated samples of six bits' entropy."""

    info = simulated(
        estimated_rate=1e8,
        claim=Claim(min_entropy=3.0, evidence=measured(6.0)),
        bounded=True,
        description="Simulated symbols",
        physics="simulated",
    )

    def __init__(self) -> None:
        noise = random.Random(7)
        super().__init__(lambda n: noise.randbytes(n).translate(bytes(range(64)) * 4))


@pytest.fixture(scope="module")
def audited(tmp_path_factory: pytest.TempPathFactory) -> tuple[Simulated, SourceAudit]:
    def record_restarts(name: str, path: Path, *, restarts: int, samples: int, **_: Any) -> None:
        path.write_bytes(Simulated().read_raw(restarts * samples))

    source = Simulated()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(audit_module, "record_restarts", record_restarts)
        return source, audit_source(source, tmp_path_factory.mktemp("recordings"))


@pytest.fixture
def bundle(audited: tuple[Simulated, SourceAudit], tmp_path: Path) -> Path:
    write_bundle(*audited, tmp_path / "bundle")
    return tmp_path / "bundle"


def relist(folder: Path) -> None:
    """Bring the manifest up to date, as somebody who edits on purpose would."""
    hashes = {name: file_sha256(folder / name) for name in FILES.values() if (folder / name).exists()}
    (folder / MANIFEST).write_text(json.dumps({"format": 1, "sha256": hashes}))


def edit(folder: Path, key: str, change: Callable[[dict[str, Any]], object]) -> None:
    path = folder / FILES[key]
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))
    relist(folder)


def test_a_bundle_is_complete_and_passes_its_lint(bundle: Path) -> None:
    assert sorted(path.name for path in bundle.iterdir()) == sorted([*FILES.values(), MANIFEST])
    assert (bundle / FILES["raw"]).stat().st_size == (bundle / FILES["restarts"]).stat().st_size == 1_000_000
    report = lint_bundle(bundle)
    assert report.violations == ()
    assert len(report.open_points) == 9
    facts = json.loads((bundle / FILES["registration"]).read_text())
    assert facts["conditioningComponent"][0] == {
        "sequencePosition": 1,
        "vetted": True,
        "description": "Hash_DF-SHA2-256",
        "minNin": 856,
        "minHin": 321.0,
        "nw": 256,
        "nOut": 256,
        "hOut": 256.0,
    }
    text = (bundle / FILES["report"]).read_text()
    assert "| H_submitter | 3 |" in text
    assert "| verdict on the claim | holds" in text
    assert "h_out 256.000000000" in " ".join(text.split())


def component(change: Callable[[dict[str, Any]], object]) -> Callable[[dict[str, Any]], object]:
    return lambda facts: change(facts["conditioningComponent"][0])


@pytest.mark.parametrize(
    ("key", "change", "violation"),
    [
        ("registration", lambda facts: facts.update(primaryNoiseSource="x" * 65), "1 to 64 characters"),
        ("registration", lambda facts: facts.pop("primaryNoiseSource"), "1 to 64 characters"),
        ("registration", lambda facts: facts.update(iidClaim="no"), "iidClaim is 'no', expected true or false"),
        ("registration", lambda facts: facts.update(bitsPerSample=9), "bitsPerSample is 9, expected 1 to 8"),
        ("registration", lambda facts: facts.update(bitsPerSample=5), "a sample is wider than bitsPerSample = 5"),
        ("registration", lambda facts: facts.update(hminEstimate=0), "nothing is claimed"),
        ("registration", lambda facts: facts.update(hminEstimate=5.999), "which the raw data show"),
        ("registration", lambda facts: facts.update(hminEstimate=float("nan")), "expected a number"),
        ("registration", lambda facts: facts.update(numberOfRestarts=500), "numberOfRestarts is 500"),
        (
            "registration",
            lambda facts: facts.update(samplesPerRestart=2000),
            "samplesPerRestart is 2000, expected",
        ),
        ("registration", lambda facts: facts.update(numberOfOEs=0), "numberOfOEs is 0"),
        ("registration", lambda facts: facts.update(numberOfOEs=2), "numberOfOEs is 2, and the bundle has"),
        ("registration", lambda facts: facts.update(additionalNoiseSources=True), "the data of one noise source"),
        ("registration", lambda facts: facts.update(typo=1), "typo is no field of it"),
        ("registration", lambda facts: facts.update(physical=False), "Kind is 'physical', and physical says otherwise"),
        ("registration", lambda facts: facts.update(hminEstimate=2.5), "h_submitter is 3.0, hminEstimate is 2.5"),
        ("registration", lambda facts: facts.update(conditioningComponent={}), "conditioningComponent is no list"),
        ("registration", lambda facts: facts.update(conditioningComponent=[1]), "conditioningComponent 1 is no object"),
        ("registration", component(lambda item: item.update(sequencePosition=2)), "sequencePosition is not 1"),
        ("registration", component(lambda item: item.update(vetted=False)), "is vetted (SP 800-90B 3.1.5.1.1)"),
        ("registration", component(lambda item: item.update(nw=512)), "nw of Hash_DF-SHA2-256 is 256"),
        ("registration", component(lambda item: item.update(description="MD5")), "'MD5': this module conditions by"),
        ("registration", component(lambda item: item.update(minHin=900)), "minHin 900 is above minNin 856"),
        ("registration", component(lambda item: item.update(minHin=400)), "above minNin / 8 x hminEstimate = 321"),
        ("registration", component(lambda item: item.update(hOut=257)), "hOut 257 is above nOut 256"),
        ("registration", component(lambda item: item.update(hOut=255.9)), "SP 800-90B 3.1.5.1.2 gives 256.0"),
        ("registration", component(lambda item: item.pop("hOut")), "hOut is missing"),
        ("registration", component(lambda item: item.update(nOut=128)), "this module's blocks have 256 bits"),
        ("registration", component(lambda item: item.update(minNin=857)), "no whole number of samples"),
        ("registration", component(lambda item: item.update(minHin=1.0)), "SP 800-90B 3.1.5.1.2 gives 1.0"),
        (
            "registration",
            lambda facts: facts["conditioningComponent"].append(
                {**facts["conditioningComponent"][0], "sequencePosition": 2, "minNin": 512, "minHin": 512.0}
            ),
            "",
        ),
        (
            "registration",
            lambda facts: facts["conditioningComponent"].append(
                {**facts["conditioningComponent"][0], "sequencePosition": 2, "minNin": 512, "minHin": 512.5}
            ),
            "minHin 512.5 is above hOut 512 of the component before it",
        ),
        (
            "registration",
            lambda facts: facts["conditioningComponent"].append(
                {**facts["conditioningComponent"][0], "sequencePosition": 2, "minHin": 256.0}
            ),
            "minNin 856 is no multiple of nOut 256 before it",
        ),
        (
            "registration",
            lambda facts: facts["conditioningComponent"].append(
                {
                    "sequencePosition": 2,
                    "vetted": False,
                    "description": "folding",
                    "minNin": 512,
                    "minHin": 512.0,
                    "nw": 256,
                    "nOut": 256,
                    "hOut": 256.0,
                }
            ),
            "hOut is 256.0, SP 800-90B 3.1.5.2 allows at most 255.744",
        ),
        ("assessment", lambda facts: facts.update(verdict="too high"), "verdict is 'too high'"),
        ("assessment", lambda facts: facts.update(left_out=["half"]), "the audit is not complete"),
        ("assessment", lambda facts: facts.update(h_assessed=9.0), "h_assessed is 9.0, expected"),
        ("assessment", lambda facts: facts.update(h_initial=2.0), "h_initial is 2.0, expected 3.0"),
        ("assessment", lambda facts: facts.update(h_row=5.0), "h_row is not that of restart"),
        ("assessment", lambda facts: facts["sequential"].update(sha256="0"), "sequential.sha256 is not that of raw"),
        ("assessment", lambda facts: facts["restart"].update(sha256="0"), "restart.sha256 is not that of restarts.bin"),
        ("assessment", lambda facts: facts["restart"].update(rows=999), "restart.rows is 999"),
        ("assessment", lambda facts: facts["restart"].update(sanity_passed=False), "restart.sanity_passed is False"),
        ("assessment", lambda facts: facts.pop("sequential"), "not the result of an audit"),
        (
            "assessment",
            lambda facts: [part.update(h_row=5.0) for part in (facts, facts["restart"])],
            "h_row is 5.0, the data give",
        ),
        ("rbg", lambda facts: facts.update(construction="RBG3"), "construction is RBG3, expected RBG2"),
        ("rbg", lambda facts: facts.update(instantiateEntropyBits=256), "instantiateEntropyBits 256 is below 384"),
        ("rbg", lambda facts: facts.update(reseedEntropyBits=128), "reseedEntropyBits 128 is below the strength 256"),
        ("rbg", lambda facts: facts.update(reseedOutputBits=1 << 18), "reseedOutputBits is 262144"),
    ],
)
def test_every_broken_rule_is_named(
    bundle: Path, key: str, change: Callable[[dict[str, Any]], object], violation: str
) -> None:
    edit(bundle, key, change)
    assess = "which the raw data show" in violation or "the data give" in violation
    violations = lint_bundle(bundle, assess=assess).violations
    if not violation:
        assert violations == ()
        return
    assert any(violation in text for text in violations), violations


def corrupted(value: object) -> list[object]:
    """Return what a field might become by mistake: another kind, another value."""
    if isinstance(value, bool):
        return ["x", None, [], not value]
    if isinstance(value, (int, float)):
        return ["x", None, [], -1, value * 2 + 1, True]
    if isinstance(value, str):
        return [7, None, [], value + " of another kind"]
    return ["x", None, 7]


@pytest.mark.parametrize("key", ["registration", "component", "rbg"])
def test_every_field_is_guarded(bundle: Path, key: str) -> None:
    """Whatever field is lost or changed, and the manifest brought up to date, a violation names it."""
    path = bundle / FILES["rbg" if key == "rbg" else "registration"]
    whole = path.read_text()
    fields = json.loads(whole)
    names = fields["conditioningComponent"][0] if key == "component" else fields
    for name in names:
        for value in (*corrupted(names[name]), "gone"):
            document = json.loads(whole)
            target = document["conditioningComponent"][0] if key == "component" else document
            if value == "gone":
                del target[name]
            else:
                target[name] = value
            path.write_text(json.dumps(document))
            relist(bundle)
            violations = lint_bundle(bundle, assess=False).violations
            assert any(name in text for text in violations), (name, value, violations)


def test_changed_missing_and_foreign_files(bundle: Path) -> None:
    raw = bundle / FILES["raw"]
    raw.write_bytes(raw.read_bytes()[:-1])
    (bundle / FILES["public_use"]).unlink()
    (bundle / "notes.txt").write_text("mine")
    (bundle / FILES["rbg"]).write_text("{")
    violations = "\n".join(lint_bundle(bundle).violations)
    for text in (
        "raw_noise.bin: SHA-256 differs from the manifest",
        "raw_noise.bin has 999,999 samples, expected exactly 1,000,000",
        "public_use_document.md is missing",
        "notes.txt does not belong to the bundle",
        "rbg.json: no JSON",
    ):
        assert text in violations
    (bundle / MANIFEST).unlink()
    assert "manifest.json is missing" in lint_bundle(bundle).violations


def test_restarts_that_repeat_are_found(bundle: Path) -> None:
    restarts = bundle / FILES["restarts"]
    restarts.write_bytes(restarts.read_bytes()[:1000] * 1000)
    relist(bundle)
    assert "restarts.bin fails the restart sanity check (SP 800-90B 3.1.4.3)" in lint_bundle(bundle).violations


def test_what_cannot_be_bundled_is_refused(audited: tuple[Simulated, SourceAudit], tmp_path: Path) -> None:
    source, audit = audited
    with pytest.raises(errors.InvalidInputError, match="left out: half"):
        write_bundle(source, attrs.evolve(audit, left_out=("half",)), tmp_path / "b")
    with pytest.raises(errors.InvalidInputError, match="the audit is of simulated"):
        write_bundle(registry.create("memory_timing"), audit, tmp_path / "b")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    with pytest.raises(errors.InvalidInputError, match="is not empty"):
        write_bundle(source, audit, tmp_path / "full")
    with pytest.raises(errors.InvalidInputError, match="nothing is credited"):
        registration(registry.create("rdseed"))
    with pytest.raises(errors.InvalidInputError, match="is no folder"):
        lint_bundle(tmp_path / "nothing")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["full"]


def test_a_bundle_removes_nothing_beside_it(audited: tuple[Simulated, SourceAudit], tmp_path: Path) -> None:
    (tmp_path / "b.partial").mkdir()
    (tmp_path / "b.partial" / "kept").touch()
    write_bundle(*audited, tmp_path / "b")
    assert (tmp_path / "b.partial" / "kept").exists()
    assert sorted(item.name for item in tmp_path.iterdir()) == ["b", "b.partial"]


def test_lint_from_the_command_line(bundle: Path) -> None:
    answer = CliRunner().invoke(cli, ["esv", "lint", str(bundle), "--no-assess"])
    assert answer.exit_code == 0
    assert "0 violations, 9 points to be written" in answer.output
    edit(bundle, "rbg", lambda facts: facts.update(construction="x"))
    answer = CliRunner().invoke(cli, ["esv", "lint", str(bundle), "--no-assess", "--json"])
    assert answer.exit_code == 1
    assert json.loads(answer.output)["violations"] == ["rbg.json: construction is x, expected RBG2"]
