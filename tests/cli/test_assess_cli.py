"""``esoteric-drbg assess`` as its users meet it."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from places import SCHEMAS
from rich.console import Console

from esoteric_drbg.cli.assess import text as assessment_text
from esoteric_drbg.conformance.entropy.non_iid import ESTIMATORS, assess_non_iid


def run(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "esoteric_drbg", "assess", *map(str, arguments)],
        capture_output=True,
        env={**os.environ, **environment},
        check=False,
        timeout=120,
        stdin=subprocess.DEVNULL,
        text=True,
    )


def document(*arguments: str | Path) -> Any:
    done = run(*arguments, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout, parse_constant=lambda text: pytest.fail(f"{text} in JSON"))


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "noise.bin"
    np.random.default_rng(3).integers(0, 256, 20_000).astype(np.uint8).tofile(path)
    return path


@pytest.fixture
def binary(tmp_path: Path) -> Path:
    path = tmp_path / "bits.bin"
    np.random.default_rng(4).integers(0, 2, 20_000).astype(np.uint8).tofile(path)
    return path


def test_a_narrow_terminal_shows_what_decides(recording: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = document("non-iid", recording)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(assessment_text, "console", lambda: Console(width=50, force_terminal=True, color_system=None))
        assessment_text.print_non_iid(found, verbose=False)
    lines = capsys.readouterr().out.splitlines()
    assert all(len(line) <= 50 for line in lines)
    marked = [line for line in lines if line.startswith(">")]
    assert len(marked) == 1
    part, name = found["decided_by"]
    assert f"{found[part][name]['min_entropy']:.6f}" in marked[0]
    wide = run("non-iid", recording).stdout
    assert not any(line.endswith(" ") for line in wide.splitlines())


@pytest.mark.parametrize("options", [(), ("-c",), ("-t",), ("-l", "1,5000"), ("--quick",), ("--jobs", "1")])
def test_json_follows_the_schema_and_equals_the_library(recording: Path, options: tuple[str, ...]) -> None:
    schema = json.loads((SCHEMAS / "non-iid.schema.json").read_text())
    found = document("non-iid", recording, *options)
    jsonschema.validate(found, schema)
    assert found.pop("file") == str(recording)
    symbols = np.fromfile(recording, dtype=np.uint8)
    if "-l" in options:
        symbols = symbols[5000:10_000]
    result = assess_non_iid(symbols, conditioned="-c" in options, bitstring="truncated" if "-t" in options else "all")
    assert found == json.loads(json.dumps(result.as_dict()))


@pytest.mark.slow_reference
def test_the_other_documents_follow_their_schemas(recording: Path, tmp_path: Path) -> None:
    def check(name: str, *arguments: str | Path) -> None:
        schema = json.loads((SCHEMAS / f"{name}.schema.json").read_text())
        done = run(name, *arguments, "--json")
        assert done.returncode in {0, 1}, done.stderr
        jsonschema.validate(json.loads(done.stdout), schema)

    check("iid", "--quick", "-l", "0,2000", recording)
    check("iid", "--quick", "-c", "-l", "0,100", recording)
    check("restart", "--rows", "100", "--columns", "200", recording, "5.0")
    check("restart", "--rows", "100", "--columns", "200", "--iid", recording, "7.99")
    stuck = tmp_path / "stuck.bin"
    stuck.write_bytes(bytes(20_000))
    check("restart", "--rows", "100", "--columns", "200", stuck, "1.0")
    check("conditioning", "512", "256", "256", "300")
    check("conditioning", "-n", "512", "256", "256", "300", "0.5")
    check("conditioning", "--bijective", "64", "64", "64", "3.5")


def test_json_of_data_that_no_estimator_likes(tmp_path: Path) -> None:
    schema = json.loads((SCHEMAS / "non-iid.schema.json").read_text())
    for name, content in (
        ("one", b"\x05"),
        ("same", b"\x07" * 500),
        ("distinct", bytes(range(256))),
        ("seventeen", bytes(range(17))),
        ("outlier", b"\x00" * 9999 + b"\x01"),
        ("block", bytes(range(200)) * 40),
    ):
        path = tmp_path / name
        path.write_bytes(content)
        for track in ("-i", "-c"):
            found = document("non-iid", track, path)
            jsonschema.validate(found, schema)
            assert 0.0 <= found["h_assessed"] <= found["bits"]
            assert "-0.0" not in json.dumps(found)
    same = document("non-iid", tmp_path / "same")
    assert same["h_assessed"] == 0.0
    assert "one symbol" in same["literal"]["lag"]["reason"]


def test_the_table_says_what_decides_and_what_it_means(recording: Path, binary: Path) -> None:
    done = run("non-iid", recording)
    assert done.returncode == 0
    assert done.stderr == ""
    result = assess_non_iid(np.fromfile(recording, dtype=np.uint8))
    assert f"Assessed: {result.h_assessed:.6f} bits of min-entropy per sample" in done.stdout
    line = next(line for line in done.stdout.splitlines() if "decides" in line)
    assert "Compression" in line
    assert "bitstring" in line
    assert "asks for at least 1,000,000" in done.stdout
    assert "kernels:" in done.stdout
    verbose = run("non-iid", "-v", binary, "1").stdout
    assert all(f"literal {name}:" in verbose for name in ESTIMATORS)
    assert "bitstring" not in verbose.split("Assessed")[0]


def test_several_files(recording: Path, binary: Path, tmp_path: Path) -> None:
    found = document("non-iid", recording, binary, recording, "--jobs", "2")
    assert [entry["file"] for entry in found["assessments"]] == [str(recording), str(binary), str(recording)]
    done = run("non-iid", recording, binary, "--csv")
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [row["file"] for row in rows] == [str(recording), str(binary)]
    assert float(rows[0]["h_assessed"]) == found["assessments"][0]["h_assessed"]
    assert rows[1]["bitstring.mcv"] == ""
    done = run("non-iid", recording, tmp_path / "missing", binary, "--csv")
    assert done.returncode == 2
    assert done.stdout.count("\n") == 3
    assert done.stderr.startswith("Error: ")
    assert "No such file" in done.stderr
    assert done.stderr.count("\n") == 1


def test_bad_input_is_one_line_and_exit_code_2(tmp_path: Path, recording: Path) -> None:
    empty, fifo, odd, words = (tmp_path / name for name in ("empty", "fifo", "odd.bin", "words.txt"))
    empty.touch()
    os.mkfifo(fifo)
    odd.write_bytes(b"\x01\x02\x03")
    words.write_text("1 2\n3 four\n")
    for arguments, message in (
        ((tmp_path / "missing",), "No such file"),
        ((tmp_path,), "a directory"),
        ((fifo,), "a pipe"),
        (("/dev/zero",), "a device"),
        ((empty,), "empty"),
        ((odd, "--format", "u16le"), "no whole number of 2-byte words"),
        ((words,), "line 2, number 2: 'four' is no whole number"),
        ((recording, "4"), "does not fit into bits=4"),
        ((recording, "-b", "65"), "65"),
        ((recording, "-l", "1;2"), "INDEX,SAMPLES"),
        ((recording, "-l", "2,20000"), "20000 samples hold 1 blocks of 20000"),
        ((recording, "--json", "--csv"), "exclude"),
        ((recording, "--reduction", "magic"), "magic"),
    ):
        done = run("non-iid", *arguments)
        assert done.returncode == 2, arguments
        assert message in done.stderr, arguments
        assert "Traceback" not in done.stderr
        assert done.stdout == ""


def test_wide_samples_are_reduced_and_say_so(tmp_path: Path) -> None:
    path = tmp_path / "wide.bin"
    np.random.default_rng(6).integers(0, 60_000, 5000).astype(">u2").tofile(path)
    found = document("non-iid", path, "--format", "u16be")
    assert found["reduction"]["kind"] == "bits"
    assert len(found["reduction"]["bits"]) == 8
    assert len(found["reduction"]["ranking"]) == 16
    assert any("6.4" in warning for warning in found["warnings"])
    assert document("non-iid", path, "--format", "u16be", "--reduction", "bins")["alphabet"] == 256


def _children_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_reference_kernels_assess_a_million_samples_in_five_minutes(tmp_path: Path) -> None:
    path = tmp_path / "million.bin"
    np.random.default_rng(9).integers(0, 256, 1_000_000).astype(np.uint8).tofile(path)
    found = {}
    for kernels in ("rust", "reference"):
        began = _children_seconds()  # processor time: the reference kernels are on one processor at a time
        done = subprocess.run(
            [sys.executable, "-m", "esoteric_drbg", "assess", "non-iid", str(path), "--json"],
            env={**os.environ, "ESOTERIC_DRBG_KERNELS": kernels},
            capture_output=True,
            check=False,
            timeout=590,
        )
        if kernels == "rust" and done.returncode == 2:
            pytest.skip("the Rust kernels are not built")
        assert _children_seconds() - began < 300
        found[kernels] = json.loads(done.stdout)
        assert found[kernels].pop("kernels") == kernels
    assert found["rust"] == found["reference"]


def test_restart_transpose_and_their_verdicts(tmp_path: Path) -> None:
    path, target = tmp_path / "restarts.bin", tmp_path / "columns.bin"
    matrix = np.random.default_rng(11).integers(0, 16, (100, 200)).astype(np.uint8)
    matrix.tofile(path)
    shape = ("--rows", "100", "--columns", "200")
    done = run("restart", *shape, path, "4", "3.0")
    assert done.returncode == 0, done.stderr
    assert "sanity check passed" in done.stdout
    assert "validation passed" in done.stdout
    assert "Assessed: min(H_r, H_c, H_I)" in done.stdout
    done = run("transpose", *shape, path, target)
    assert done.returncode == 0
    assert np.array_equal(np.fromfile(target, dtype=np.uint8).reshape(200, 100), matrix.T)
    matrix[17] = 3
    matrix[:, 5] = 3
    matrix.tofile(path)
    done = run("restart", *shape, path, "3.0")
    assert done.returncode == 1
    assert "row 17: symbol 3 occurs 200 times" in done.stdout
    assert "column 5: symbol 3 occurs 100 times" in done.stdout
    assert "Assessed: nothing" in done.stdout
    for arguments in ((path, "3.0"), (*shape, path, "nine"), (*shape, path, "9"), (*shape, path, "1", "2", "3")):
        done = run("restart", *arguments)
        assert (done.returncode, done.stdout) == (2, ""), arguments
        assert done.stderr.count("\n") == 1
    assert run("transpose", *shape, path, path).returncode == 2


def _processor_seconds(group: int) -> float:
    """Return the processor time that the processes of a group have had, by /proc/PID/stat."""
    ticks = 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = path.read_text().rpartition(")")[2].split()
            ticks += (int(fields[11]) + int(fields[12])) * (int(fields[2]) == group)
    return ticks / os.sysconf("SC_CLK_TCK")


def _wait_for_work(group: int, seconds: float) -> None:
    """Wait until a process group has had so much processor time: it has started then, however busy the machine is."""
    until = time.monotonic() + 120
    if not Path("/proc/self/stat").exists():
        time.sleep(seconds)
        return
    while _processor_seconds(group) < seconds and time.monotonic() < until:
        time.sleep(0.1)


def _interrupted(arguments: list[str]) -> float:
    """Start a command, interrupt it while it works, and return the seconds it took to end."""
    process = subprocess.Popen(
        [sys.executable, "-m", "esoteric_drbg", "assess", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        env={**os.environ, "ESOTERIC_DRBG_KERNELS": "reference"},
    )
    _wait_for_work(process.pid, 4 if "--jobs" not in arguments else 8)
    assert process.poll() is None
    started = time.monotonic()
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=30)
    seconds = time.monotonic() - started
    assert process.returncode == 130, err
    assert (out, err) == (b"", b"")
    return seconds


def test_an_interrupt_ends_the_work_at_once(tmp_path: Path) -> None:
    paths = [tmp_path / "large.bin", tmp_path / "other.bin"]
    for path in paths:
        np.random.default_rng(8).integers(0, 256, 1_000_000).astype(np.uint8).tofile(path)
    # The promise is 200 ms, on a machine that is not busy; the work takes minutes.
    assert _interrupted(["non-iid", str(paths[0])]) < 20
    assert _interrupted(["non-iid", *map(str, paths), "--jobs", "2"]) < 20


def test_the_library_takes_paths_and_arrays_of_all_kinds(recording: Path) -> None:
    symbols = np.fromfile(recording, dtype=np.uint8)
    result = assess_non_iid(symbols)
    assert assess_non_iid(recording) == assess_non_iid(str(recording)) == result
    assert assess_non_iid(np.memmap(recording, dtype=np.uint8, mode="r")) == result
    assert assess_non_iid(symbols.tobytes()) == assess_non_iid(memoryview(symbols.tobytes())) == result
    assert assess_non_iid(symbols.astype(np.int64)) == result


def test_every_vector_level_gives_the_same(recording: Path, binary: Path) -> None:
    for path in (recording, binary):
        found = [
            run("non-iid", path, "--json", ESOTERIC_DRBG_SIMD=level).stdout for level in ("portable", "avx2", "avx512")
        ]
        assert found[0] == found[1] == found[2]
        iid = [
            run("iid", path, "--seed", "5", "--quick", "--json", ESOTERIC_DRBG_SIMD=level).stdout
            for level in ("portable", "avx2", "avx512")
        ]
        assert iid[0] == iid[1] == iid[2]
