"""``esoteric-drbg assess iid`` as its users meet it, interrupted and taken up again too."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from esoteric_drbg.conformance import assess_iid
from esoteric_drbg.kernels import kernel_info


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "esoteric_drbg", "assess", "iid", *map(str, arguments)]


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*arguments), capture_output=True, text=True, check=False, timeout=240)


@pytest.fixture
def noise(tmp_path: Path) -> Path:
    path = tmp_path / "noise.bin"
    np.random.default_rng(21).integers(0, 8, 4000).astype(np.uint8).tofile(path)
    return path


def test_good_and_bad_data(noise: Path, tmp_path: Path) -> None:
    done = run("--seed", "7", noise)
    assert done.returncode == 0, done.stderr
    assert "19 of 19 passed" in done.stdout
    assert "No test failed" in done.stdout
    assert "about 2%" in done.stdout
    bad = tmp_path / "bad.bin"
    np.repeat(np.arange(8), 500).astype(np.uint8).tofile(bad)
    done = run("--seed", "7", "--quick", bad)
    assert done.returncode == 1
    assert "FAILED" in done.stdout
    assert "no min-entropy is given" in done.stdout
    assert "Assessed" not in done.stdout


def test_the_same_seed_gives_the_same_json(noise: Path) -> None:
    found = [json.loads(run("--seed", "7", "--json", "--jobs", jobs, noise).stdout) for jobs in ("1", "2")]
    assert found[0] == found[1]
    assert found[0]["seed"] == 7
    assert found[0]["passed"] is True
    assert len(found[0]["statistics"]) == 19
    exact = json.loads(run("--seed", "7", "--json", "--exact-count", "150", noise).stdout)
    assert exact["permutations"] == exact["compressions"] == 150
    assert all(entry["greater"] + entry["equal"] + entry["less"] == 150 for entry in exact["statistics"])


@pytest.fixture
def several(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / f"noise{number}.bin" for number in range(4)]
    for number, path in enumerate(paths):
        np.random.default_rng(number).integers(0, 8, 2500).astype(np.uint8).tofile(path)
    np.repeat(np.arange(8), 300).astype(np.uint8).tofile(paths[2])
    return paths


@pytest.mark.slow_reference
def test_several_files_give_what_each_gives_alone(several: list[Path]) -> None:
    alone = [json.loads(run("--seed", "7", "--quick", "--json", path).stdout) for path in several]
    for jobs in ((), ("--jobs", "1"), ("--jobs", "3")):
        done = run("--seed", "7", "--quick", "--json", *jobs, *several)
        assert (done.returncode, done.stderr) == (1, "")  # the third is not IID
        found = json.loads(done.stdout)
        assert found["assessments"] == alone
        assert found["family"]["failures"] == 1


def test_files_without_a_seed_have_each_its_own(several: list[Path]) -> None:
    found = json.loads(run("--quick", "--json", *several).stdout)["assessments"]
    assert len({document["seed"] for document in found}) == 4
    for document in found[::3]:
        again = run("--quick", "--json", "--seed", str(document["seed"]), document["file"])
        assert json.loads(again.stdout) == document


def test_several_files_are_printed_in_order_and_one_line_is_lost(several: list[Path], tmp_path: Path) -> None:
    paths = [several[0], tmp_path / "missing", several[1]]
    done = run("--seed", "7", "--quick", "--jobs", "2", *paths)
    assert done.returncode == 2
    assert done.stderr.startswith("Error: ")
    assert str(tmp_path / "missing") in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stdout.index(f"{several[0]}:") < done.stdout.index(f"{several[1]}:")
    assert done.stdout.splitlines()[-1].startswith("family of files: 0 of 2")
    one = run("--seed", "7", "--quick", several[0]).stdout
    assert done.stdout.startswith(one)


def test_bad_input_is_one_line(tmp_path: Path, noise: Path) -> None:
    other = tmp_path / "other.checkpoint"
    other.write_text("{}")
    for arguments, message in (
        ((tmp_path / "missing",), "No such file"),
        ((noise, "1"), "does not fit"),
        ((noise, "--exact-count", "5"), "5"),
        ((noise, "--resume", other), "no checkpoint"),
        ((noise, noise, "--resume", other), "one file"),
    ):
        done = run(*arguments)
        assert done.returncode == 2, arguments
        assert message in done.stderr
        assert done.stdout == ""
        assert "Traceback" not in done.stderr


def test_data_that_no_test_likes() -> None:
    for content in (b"\x05", b"\x05" * 400, bytes(range(256)), bytes(range(17)), bytes(range(16)) * 64):
        result = assess_iid(content, seed=1, permutations=100)
        document = json.dumps(result.as_dict(), allow_nan=False)
        assert "-0.0" not in document
        assert result.passed is not True
        assert result.h_assessed is None


@pytest.mark.filterwarnings("ignore")  # of dask's own
def test_a_dask_cluster_gives_the_same() -> None:
    distributed = pytest.importorskip("distributed")
    from esoteric_drbg.conformance.execution.cluster import connected

    samples = np.random.default_rng(5).integers(0, 4, 1500).astype(np.uint8)
    local = distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None, host="127.0.0.1", protocol="tcp"
    )
    with local as cluster, connected(cluster.scheduler_address) as executor:
        found = assess_iid(samples, seed=3, permutations=300, executor=executor)
    assert found == assess_iid(samples, seed=3, permutations=300)


@pytest.mark.slow_reference
def test_an_interrupted_assessment_goes_on(tmp_path: Path) -> None:
    path, checkpoint = tmp_path / "noise.bin", tmp_path / "state.json"
    samples = np.random.default_rng(22).integers(0, 256, 25_000).astype(np.uint8)
    samples.tofile(path)
    count = 2000 if kernel_info().name == "rust" else 300
    arguments = ("--seed", "9", "--json", "--exact-count", str(count), "--resume", checkpoint, path)
    process = subprocess.Popen(command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 60
    while not checkpoint.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    assert process.poll() is None
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert time.monotonic() - began < 20
    assert (process.returncode, out, err) == (130, b"", b"")
    left = json.loads(checkpoint.read_text())
    assert 0 < left["permutations"] < count
    done = run(*arguments)
    assert done.returncode in {0, 1}, done.stderr
    assert not checkpoint.exists()
    found: dict[str, Any] = json.loads(done.stdout)
    assert found["permutations"] == count
    whole = json.loads(run("--seed", "9", "--json", "--exact-count", str(count), path).stdout)
    assert found == whole
    assert sorted(os.listdir(tmp_path)) == ["noise.bin"]
