"""Recordings and the quick assessment: atomic files, resumable restarts, figures equal to the reference's."""

from __future__ import annotations

import hashlib
import json
import platform
import subprocess
import sys
import time
from array import array
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from fakes import simulated

from esoteric_drbg import errors
from esoteric_drbg.cli.main import cli
from esoteric_drbg.conformance.recording.recorder import has_wide_values, record, record_restarts
from esoteric_drbg.noise_sources import Availability, NoiseSource, registry
from esoteric_drbg.version import __version__


def test_record_writes_data_and_sidecar(tmp_path: Path) -> None:
    steps: list[tuple[int, int, str]] = []
    path = tmp_path / "m.bin"
    facts = record(registry.create("memory_timing"), 2500, path, progress=lambda *step: steps.append(step))
    assert path.stat().st_size == 2500
    assert steps == [(1000, 2500, ""), (2000, 2500, ""), (2500, 2500, "")]
    sidecar = json.loads((tmp_path / "m.bin.json").read_text())
    assert sidecar == facts
    assert sidecar["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert sidecar["machine"]["kernels"] in {"rust", "reference"}
    assert sidecar["machine"]["counter_step"] >= 1
    assert "Ticks of the CPU's counter" in sidecar["digitization"]
    assert (sidecar["source"], sidecar["version"], sidecar["read_by"]) == ("memory_timing", __version__, "read_raw")
    assert {"kernel", "clocksource", "governor", "load_1_min", "cpu", "platform"} <= set(sidecar["machine"])
    assert sidecar["machine"]["kernel"] == platform.release()
    assert datetime.fromisoformat(sidecar["began"]) <= datetime.fromisoformat(sidecar["date"])
    assert sidecar["symbols_per_second"] == pytest.approx(2500 / sidecar["reading_seconds"], rel=0.01)
    assert sorted(item.name for item in tmp_path.iterdir()) == ["m.bin", "m.bin.json"]


def test_an_interrupted_recording_leaves_no_file(tmp_path: Path) -> None:
    def interrupt(done: int, total: int, step: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        record(registry.create("memory_timing"), 5000, tmp_path / "m.bin", progress=interrupt)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(errors.InvalidInputError, match="n_samples=0"):
        record(registry.create("memory_timing"), 0, tmp_path / "m.bin")
    with pytest.raises(OSError, match="gone"):
        record(registry.create("memory_timing"), 1, tmp_path / "gone" / "m.bin")


def test_restart_recordings_go_on_where_they_stopped(tmp_path: Path) -> None:
    path = tmp_path / "r.bin"
    rows: list[int] = []

    def stop_after_two(done: int, total: int, step: str) -> None:
        rows.append(done)
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        record_restarts("memory_timing", path, restarts=4, samples=50, progress=stop_after_two)
    partial = tmp_path / "r.bin.partial"
    first = partial.read_bytes()
    assert len(first) == 100
    partial.write_bytes(first + b"torn row")
    facts = record_restarts("memory_timing", path, restarts=4, samples=50, progress=lambda done, *_: rows.append(done))
    assert rows == [1, 2, 3, 4]
    assert path.read_bytes()[:100] == first
    assert path.stat().st_size == 200
    assert (facts["restarts"], facts["samples"]) == (4, 50)
    assert not partial.exists()


def test_restart_recordings_are_never_mixed(tmp_path: Path) -> None:
    path = tmp_path / "r.bin"

    def stop(done: int, total: int, step: str) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        record_restarts("memory_timing", path, restarts=4, samples=50, progress=stop)
    for name, samples in (("clock_jitter", 50), ("memory_timing", 25)):
        with pytest.raises(errors.InvalidInputError, match="remove it to begin anew"):
            record_restarts(name, path, restarts=4, samples=samples)
    kept = (tmp_path / "r.bin.partial").read_bytes()
    facts = record_restarts("memory_timing", path, restarts=2, samples=50)
    assert path.read_bytes() == kept[:100]
    assert facts["restarts"] == 2
    # Rows of unknown origin are not built upon.
    (tmp_path / "r.bin.partial").write_bytes(bytes(50))
    record_restarts("memory_timing", path, restarts=1, samples=50)
    assert path.read_bytes() != bytes(50)
    assert sorted(item.name for item in tmp_path.iterdir()) == ["r.bin", "r.bin.json"]


@pytest.mark.parametrize("damaged", ["{", "[1]", '{"source": "memory_timing"}', '{"source": 7}', "\udc80"])
def test_a_damaged_plan_is_one_error(tmp_path: Path, damaged: str) -> None:
    """Rows and symbols of unknown origin are not built upon, and what is wrong is named."""

    def stop(done: int, total: int, step: str) -> None:
        raise KeyboardInterrupt

    source = registry.create("memory_timing")
    rows, symbols = tmp_path / "r.bin", tmp_path / "m.bin"
    with pytest.raises(KeyboardInterrupt):
        record_restarts(source.name, rows, restarts=2, samples=50, progress=stop)
    with pytest.raises(KeyboardInterrupt):
        record(source, 2000, symbols, resume=True, progress=stop)
    for path in (rows, symbols):
        path.with_name(f"{path.name}.partial.json").write_bytes(damaged.encode("utf-8", "surrogateescape"))
    with pytest.raises(errors.InvalidInputError, match=r"r\.bin\.partial\.json"):
        record_restarts(source.name, rows, restarts=2, samples=50)
    with pytest.raises(errors.InvalidInputError, match=r"m\.bin\.partial\.json"):
        record(source, 2000, symbols, resume=True)


def test_full_width_recordings_hold_what_the_symbols_are_made_of(tmp_path: Path) -> None:
    source = registry.create("memory_timing")
    path = tmp_path / "m.bin"
    facts = record(source, 1500, path, wide=True)
    values = array("Q", np.fromfile(tmp_path / "m.bin.u64", dtype="<u8").tolist())
    assert len(values) == 1500
    assert source.digitize(values) == path.read_bytes()
    assert facts["sha256_u64"] == hashlib.sha256((tmp_path / "m.bin.u64").read_bytes()).hexdigest()
    assert sorted(item.name for item in tmp_path.iterdir()) == ["m.bin", "m.bin.json", "m.bin.u64"]


def test_a_source_that_falls_short_at_full_width_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = registry.create("memory_timing")
    monkeypatch.setattr(source, "read_wide", lambda n_samples: array("Q", range(n_samples - 1)))
    with pytest.raises(errors.SourceReadError, match="99 values came, 100"):
        record(source, 100, tmp_path / "m.bin", wide=True)
    assert list(tmp_path.iterdir()) == []


def test_restart_recording_refuses_nonsense(tmp_path: Path) -> None:
    with pytest.raises(errors.InvalidInputError, match="no noise source"):
        record_restarts("nothing", tmp_path / "r.bin")
    with pytest.raises(errors.InvalidInputError, match="restarts=0"):
        record_restarts("memory_timing", tmp_path / "r.bin", restarts=0)
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_recording_goes_on_and_names_its_segments(tmp_path: Path) -> None:
    path = tmp_path / "m.bin"
    source = registry.create("memory_timing")

    def stop_at(limit: int) -> Callable[[int, int, str], None]:
        def progress(done: int, total: int, step: str) -> None:
            if done == limit:
                raise KeyboardInterrupt

        return progress

    for limit in (2000, 4000):
        with pytest.raises(KeyboardInterrupt):
            record(source, 5500, path, wide=True, resume=True, progress=stop_at(limit))
    kept = (tmp_path / "m.bin.partial").read_bytes()
    with (tmp_path / "m.bin.partial").open("ab") as file:
        file.write(b"torn")
    with pytest.raises(errors.InvalidInputError, match="remove it to begin anew"):
        record(registry.create("clock_jitter"), 5500, path, wide=True, resume=True)
    facts = record(source, 5500, path, wide=True, resume=True)
    assert facts["segments"] == [2000, 2000, 1500]
    symbols = path.read_bytes()
    assert symbols[:4000] == kept[:4000]
    values = array("Q", np.fromfile(tmp_path / "m.bin.u64", dtype="<u8").tolist())
    assert source.digitize(values) == symbols
    assert facts["sha256"] == hashlib.sha256(symbols).hexdigest()
    assert sorted(item.name for item in tmp_path.iterdir()) == ["m.bin", "m.bin.json", "m.bin.u64"]


def test_restarts_by_a_command_of_the_operator(tmp_path: Path) -> None:
    path = tmp_path / "r.bin"
    code = "import os, sys; sys.stdout.buffer.write(os.urandom(int(os.environ['ESOTERIC_DRBG_SAMPLES'])))"
    facts = record_restarts("rdseed", path, restarts=6, samples=40, command=[sys.executable, "-c", code], jobs=3)
    assert path.stat().st_size == 240
    assert len({path.read_bytes()[begin : begin + 40] for begin in range(0, 240, 40)}) == 6
    assert facts["restart_command"].startswith(sys.executable)
    assert facts["jobs"] == 3
    with pytest.raises(errors.SourceReadError, match="0 of 40 symbols, exit code 3"):
        record_restarts(
            "rdseed", tmp_path / "s.bin", restarts=1, samples=40, command=[sys.executable, "-c", "raise SystemExit(3)"]
        )
    with pytest.raises(errors.InvalidInputError, match="no-such-program"):
        record_restarts("rdseed", tmp_path / "t.bin", restarts=1, samples=40, command=["no-such-program"])


class Unbounded(NoiseSource):
    """A source that cannot bound its reads; it may hang or fail."""

    info = simulated("unbounded")

    def __init__(self, behaviour: str) -> None:
        self._behaviour = behaviour

    def availability(self) -> Availability:
        return Availability(True)

    def read_raw(self, n_samples: int, *, deadline_s: float | None = None) -> bytes:
        if self._behaviour == "hang":
            time.sleep(60)
        if self._behaviour == "fail":
            raise RuntimeError("unplugged")
        return bytes(n_samples)


def test_a_source_that_hangs_or_fails_ends_its_recording(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("esoteric_drbg.conformance.recording.recorder.READ_TIMEOUT_S", 0.1)
    for behaviour, match in (("hang", "did not return within 0 s"), ("fail", "RuntimeError: unplugged")):
        with pytest.raises(errors.SourceReadError, match=match):
            record(Unbounded(behaviour), 1000, tmp_path / "m.bin")
        assert list(tmp_path.iterdir()) == []
    monkeypatch.undo()
    assert record(Unbounded("work"), 1000, tmp_path / "m.bin")["samples"] == 1000
    assert not has_wide_values(Unbounded("work"))
    assert has_wide_values(registry.create("memory_timing"))


def test_the_command_keeps_raw_values_and_says_how_to_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command = ["record", "memory_timing", "-n", "2000", "-o", str(tmp_path)]
    assert CliRunner().invoke(cli, command).exit_code == 0
    values = array("Q", np.fromfile(tmp_path / "memory_timing.bin.u64", dtype="<u8").tolist())
    symbols = (tmp_path / "memory_timing.bin").read_bytes()
    assert registry.create("memory_timing").digitize(values) == symbols
    facts = json.loads((tmp_path / "memory_timing.bin.json").read_text())
    assert facts["read_by"] == "read_wide, then digitize"
    other = tmp_path / "narrow"
    assert CliRunner().invoke(cli, [*command[:-1], str(other), "--no-wide"]).exit_code == 0
    assert sorted(path.name for path in other.iterdir()) == ["memory_timing.bin", "memory_timing.bin.json"]

    def interrupt(self: NoiseSource, n_samples: int, *, deadline_s: float | None = None) -> bytes:
        raise KeyboardInterrupt

    monkeypatch.setattr(NoiseSource, "read_exactly", interrupt)
    answer = CliRunner().invoke(cli, [*command, "--no-wide"])
    assert answer.exit_code != 0
    assert "the same command goes on" in answer.output
    assert (tmp_path / "memory_timing.bin").read_bytes() == symbols


def test_a_restart_process_loads_no_more_than_its_source() -> None:
    code = "import sys; from esoteric_drbg.noise_sources.restart_worker import main; main(['memory_timing', '10']); "
    code += "sys.stderr.write(' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    loaded = set(done.stderr.decode().split())
    assert "esoteric_drbg.noise_sources.timing.memory_timing" in loaded
    assert loaded.isdisjoint({"numpy", "scipy", "esoteric_drbg.conformance", "rich", "click"})
