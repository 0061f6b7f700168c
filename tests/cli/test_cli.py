"""The command line as its users meet it: real processes, pipes, signals, wrong arguments."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from esoteric_drbg.cli.randomness import parse_credits
from esoteric_drbg.errors import InvalidInputError

BUILT_IN = [
    "clock_jitter",
    "cpu_jitter",
    "disk_io",
    "interrupts",
    "mach_timing",
    "memory_timing",
    "process_table",
    "rdseed",
    "sleep_jitter",
    "sysctl_counters",
    "vmstat",
]


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "esoteric_drbg", *arguments],
        capture_output=True,
        env={**os.environ, **environment},
        check=False,
        timeout=280,
        stdin=subprocess.DEVNULL,
    )


def document(*arguments: str) -> Any:
    done = run(*arguments, "--json")
    assert done.returncode == 0, done.stderr
    assert done.stderr == b""
    return json.loads(done.stdout, parse_constant=lambda text: pytest.fail(f"{text} in JSON"))


def test_scan_lists_every_source_with_its_state() -> None:
    report = document("scan")
    rows = {row["name"]: row for row in report["sources"]}
    assert set(BUILT_IN) <= set(rows)
    for row in rows.values():
        assert row["available"] or row["reason"]
        assert {"claim", "credit", "state", "independence_group", "description"} <= set(row)
    assert rows["memory_timing"]["state"] == "HEALTHY"
    text = run("scan").stdout.decode()
    assert "clock_jitter" in text
    assert "Phase noise between perf_counter and monotonic clocks" in text
    assert "bits of min-entropy per raw symbol" in text


def test_probe_grades_one_source() -> None:
    figures = document("probe", "memory_timing", "--samples", "2000")
    assert figures["grade"] in "ABCDEF"
    assert figures["samples"] == 2000
    text = run("probe", "memory_timing", "--samples", "2000").stdout.decode()
    assert text.startswith("memory_timing  Latency of dependent accesses")
    assert "min entropy" in text


def test_bench_ranks_by_credited_rate() -> None:
    result = document("bench", "--fast")
    rates = [row["credited_bits_per_second"] for row in result["sources"]]
    assert rates == sorted(rates, reverse=True)
    assert rates[0] > 0
    names = {row["name"] for row in result["sources"]} | {row["name"] for row in result["unavailable"]}
    assert set(BUILT_IN) <= names
    done = run("bench", "--fast", "--all")
    assert b"symbols/s" in done.stdout
    assert done.stderr == b""


@pytest.mark.parametrize("length", [0, 1, 33, 70_000, 200_000])
def test_stream_writes_exactly_n_raw_bytes(length: int) -> None:
    done = run("stream", "--bytes", str(length))
    assert (done.returncode, len(done.stdout), done.stderr) == (0, length, b"")


def test_stream_hex_and_profile() -> None:
    done = run("stream", "--bytes", "100000", "--hex", "--profile", "sp800_90a")
    assert done.returncode == 0
    assert len(bytes.fromhex(done.stdout.decode())) == 100_000
    assert run("stream", "--bytes", "64").stdout != run("stream", "--bytes", "64").stdout


def endless() -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "esoteric_drbg", "stream"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def test_endless_stream_ends_quietly_when_its_reader_leaves() -> None:
    with endless() as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert len(process.stdout.read(300_000)) == 300_000
        process.stdout.close()
        assert process.wait(20) == 0
        assert process.stderr.read() == b""


def test_endless_stream_ends_quietly_on_ctrl_c() -> None:
    with endless() as process:
        assert process.stdout is not None
        process.stdout.read(1000)
        began = time.perf_counter()
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=20)
    assert process.returncode == 130
    assert stderr == b""
    assert time.perf_counter() - began < 15  # it would go on for ever


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="needs a pseudo-terminal")
def test_stream_refuses_to_write_raw_bytes_to_a_terminal() -> None:
    leader, follower = os.openpty()
    command = [sys.executable, "-m", "esoteric_drbg", "stream", "--bytes", "32"]
    done = subprocess.run(command, stdout=follower, stderr=subprocess.PIPE, check=False)
    os.close(follower)
    os.close(leader)
    assert done.returncode == 2
    assert done.stderr == b"Error: standard output is a terminal: redirect it, pipe it, or use --hex\n"


def test_pool_shows_health_ledger_and_bytes() -> None:
    text = run("pool").stdout.decode()  # which assesses a machine that is not known yet
    report = document("pool", "--bytes", "16")
    assert len(bytes.fromhex(report["random_bytes"])) == 16
    assert report["last_seed"]["credited_bits"] >= 384
    assert report["last_seed"]["entries"][0]["health"]
    assert report["instance"]["seeds"] == 1
    assert report["healthy"] >= 1
    assert "random bytes: " in text
    assert "credited 256" in text
    assert "HEALTHY" in text


def test_info_says_what_runs_and_what_is_not_claimed() -> None:
    facts = document("info")
    assert facts["kernels"] in {"rust", "reference"}
    assert "not validated" in facts["standing"]
    assert b"kernels" in run("info").stdout


def test_python_and_console_script_agree() -> None:
    assert run("--version").stdout.decode().strip().startswith("esoteric-drbg, version ")
    assert run("--help").stdout.startswith(b"Usage: esoteric-drbg")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["fly"], "No such command 'fly'"),
        (["probe"], "Missing argument 'NAME'"),
        (["probe", "nothing"], "no noise source named 'nothing'"),
        (["probe", "memory_timing", "--samples", "5"], "not in the range"),
        (["probe", "memory_timing", "--samples", "many"], "not a valid integer"),
        (["stream", "--bytes", "-1"], "not in the range"),
        (["stream", "--bytes", "ten"], "not a valid integer"),
        (["stream", "--profile", "fast"], "not one of"),
        (["stream", "extra"], "unexpected extra argument"),
        (["pool", "--bytes", "-1"], "not in the range"),
        (["pool", "--credit", "rdseed"], "expected NAME=BITS:CERTIFICATE"),
        (["pool", "--credit", "rdseed=x:CERT"], "expected NAME=BITS:CERTIFICATE"),
        (["pool", "--credit", "rdseed=9:CERT"], "expected 0 to 8 bits"),
        (["pool", "--credit", "rdseed=4: "], "certificate is empty"),
        (["pool", "--credit", "nobody=4:CERT"], "not in the pool: nobody"),
        (["scan", "--nonsense"], "No such option"),
        (["bench", "--nonsense"], "No such option"),
        (["info", "--nonsense"], "No such option"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_input_is_one_clear_error_and_exit_code_2(arguments: list[str], message: str) -> None:
    done = run(*arguments)
    stderr = done.stderr.decode()
    assert done.returncode == 2
    assert message in stderr
    assert "Traceback" not in stderr
    assert done.stdout == b""


@pytest.mark.parametrize(
    "command",
    [["scan"], ["probe", "memory_timing"], ["bench", "--fast"], ["stream", "--bytes", "1"], ["pool"]],
)
def test_an_impossible_kernel_switch_is_one_line_in_every_command(command: list[str]) -> None:
    done = run(*command, ESOTERIC_DRBG_KERNELS="sideways")
    assert done.returncode == 2
    assert done.stderr.decode().startswith("Error: ESOTERIC_DRBG_KERNELS='sideways'")
    assert done.stderr.count(b"\n") == 1


def test_info_explains_an_impossible_kernel_switch() -> None:
    done = run("info", ESOTERIC_DRBG_KERNELS="sideways")
    assert done.returncode == 0
    assert b"expected one of auto, rust, reference" in done.stdout


COMMANDS = (
    "info",
    "scan",
    "pool",
    "stream --bytes 8",
    "plan --h 1",
    "selftest --json",
    "record memory_timing -n 1000 -o {file}",
)


@pytest.mark.skipif(os.name != "posix", reason="closed descriptors of Unix")
@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("closed", [">&-", ">&- 2>&-"])
def test_a_closed_output_is_one_line_and_code_2(command: str, closed: str, tmp_path: Path) -> None:
    arguments = [sys.executable, "-m", "esoteric_drbg", *command.format(file=tmp_path / "a.bin").split()]
    done = subprocess.run(
        ["sh", "-c", f'exec "$@" {closed}', "sh", *arguments], capture_output=True, check=False, timeout=120
    )
    told = b"" if "2>" in closed else b"Error: standard output is closed\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, b"", told)
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(os.name != "posix", reason="closed descriptors of Unix")
@pytest.mark.parametrize("command", ["info", "stream --bytes 8", "record memory_timing -n 1000 -o {file}"])
def test_closed_input_and_error_streams_are_not_needed(command: str, tmp_path: Path) -> None:
    arguments = [sys.executable, "-m", "esoteric_drbg", *command.format(file=tmp_path / "a.bin").split()]
    closed = ["sh", "-c", 'exec "$@" <&- 2>&-', "sh", *arguments]
    done = subprocess.run(closed, capture_output=True, check=False, timeout=120)
    assert done.returncode == 0
    assert done.stdout


def test_a_full_disk_is_one_line() -> None:
    if not os.path.exists("/dev/full"):
        pytest.skip("needs /dev/full")
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "esoteric_drbg", "stream", "--bytes", "100000"],
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert done.returncode == 2
    assert done.stderr == b"Error: No space left on device\n"


@pytest.mark.parametrize("columns", ["40", "80", "200"])
def test_tables_fit_a_narrow_terminal(columns: str) -> None:
    leader, follower = os.openpty()
    command = [sys.executable, "-m", "esoteric_drbg", "scan"]
    environment = {**os.environ, "COLUMNS": columns, "TERM": "xterm"}
    process = subprocess.Popen(command, stdout=follower, stderr=follower, env=environment)
    os.close(follower)
    text = b""
    while True:
        try:
            block = os.read(leader, 65_536)
        except OSError:
            break
        if not block:
            break
        text += block
    os.close(leader)
    assert process.wait(60) == 0
    assert b"memory_timing" in text
    assert b"Traceback" not in text


def test_credits_by_configuration_are_parsed() -> None:
    claims = parse_credits(("rdseed=4:ESV E1: vendor", "x=0.5:C"))
    assert claims["rdseed"].credit == 4
    assert claims["rdseed"].evidence is not None
    assert claims["rdseed"].evidence.certificate == "ESV E1: vendor"
    with pytest.raises(InvalidInputError):
        parse_credits(("=4:C",))
