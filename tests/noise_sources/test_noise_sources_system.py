"""The sources that ask the system: rdseed, disk_io. Their logic on scripted systems."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from esoteric_drbg import errors
from esoteric_drbg.kernels import kernel_info
from esoteric_drbg.noise_sources import NoiseSource, registry
from esoteric_drbg.noise_sources.conditioned import rdseed as rdseed_module
from esoteric_drbg.noise_sources.timing import disk_io


def readable(name: str) -> NoiseSource:
    source = registry.create(name)
    available, reason = source.availability()
    if not available:
        pytest.skip(f"{name}: {reason}")
    return source


def test_rdseed_says_why_it_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    source = registry.create("rdseed")
    assert source.claim.credit == 0
    monkeypatch.setattr(rdseed_module, "rdseed_supported", lambda: False)
    available, reason = source.availability()
    assert not available
    assert reason
    with pytest.raises(errors.SourceUnavailableError, match="rdseed"):
        source.read_raw(1)
    if kernel_info().name == "rust":
        monkeypatch.setattr(rdseed_module, "rdseed_supported", lambda: True)
        monkeypatch.setattr(rdseed_module, "_withdrawn_by_kernel", lambda: True)
        monkeypatch.setattr("platform.machine", lambda: "x86_64")
        assert "erratum" in source.availability().reason
        monkeypatch.setattr(rdseed_module, "_withdrawn_by_kernel", lambda: False)
        assert source.is_available()
    else:
        assert "Rust kernels" in reason


def scripted_rdseed(monkeypatch: pytest.MonkeyPatch, chunks: list[bytes]) -> NoiseSource:
    """Return the source on a CPU whose instruction yields these chunks, then nothing."""
    left = iter(chunks)
    monkeypatch.setattr(rdseed_module, "kernel_info", lambda: SimpleNamespace(name="rust"))
    monkeypatch.setattr(rdseed_module, "rdseed_supported", lambda: True)
    monkeypatch.setattr(rdseed_module, "_withdrawn_by_kernel", lambda: False)
    monkeypatch.setattr(rdseed_module, "rdseed_bytes", lambda n: next(left, b"")[:n])
    return registry.create("rdseed")


def test_rdseed_reads_in_chunks_and_falls_short(monkeypatch: pytest.MonkeyPatch) -> None:
    size = rdseed_module.CHUNK_BYTES
    data = bytes(range(size)), bytes(range(100, 100 + size)), bytes(size)
    assert scripted_rdseed(monkeypatch, list(data)).read_raw(2 * size + 3) == b"".join(data)[: 2 * size + 3]
    assert scripted_rdseed(monkeypatch, [data[0], b"abc"]).read_raw(3 * size) == data[0] + b"abc"
    with pytest.raises(errors.SourceReadError, match=f"{size} samples came"):
        scripted_rdseed(monkeypatch, [data[0]]).collect(size + 1)


def test_rdseed_honours_its_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    source = scripted_rdseed(monkeypatch, [])
    monkeypatch.setattr(rdseed_module, "rdseed_bytes", bytes)
    assert len(source.read_raw(1 << 40, deadline_s=0.02)) < 1 << 40


def test_disk_io_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    source = registry.create("disk_io")
    source.collect(20)
    assert list(tmp_path.iterdir()) == []


def test_disk_io_goes_where_a_disk_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    second.mkdir()
    kinds = {"first": "tmpfs", "second": "ext4"}
    monkeypatch.setattr("tempfile.tempdir", str(first))
    monkeypatch.setattr(disk_io, "SECOND_FOLDER", str(second))
    monkeypatch.setattr(disk_io, "_file_system", lambda device: kinds[device])
    monkeypatch.setattr("os.stat", lambda path: SimpleNamespace(st_dev=Path(path).name))
    monkeypatch.setattr("os.access", lambda path, mode: path != str(tmp_path / "closed"))
    source = registry.create("disk_io")
    assert disk_io._folder() == (str(second), "")
    assert source.is_available()
    kinds["second"] = "ramfs"
    assert source.availability() == (False, f"{first} is in memory (tmpfs); {second} is in memory (ramfs)")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "closed"))
    assert f"no file can be made in {tmp_path / 'closed'}" in source.availability().reason
    with pytest.raises(errors.SourceUnavailableError, match="disk_io"):
        source.read_raw(1)
    kinds["first"] = "ext4"
    monkeypatch.setattr("tempfile.tempdir", str(first))
    assert disk_io._folder() == (str(first), "")


@pytest.mark.skipif(not Path("/proc/self/mountinfo").exists(), reason="needs /proc/self/mountinfo")
def test_file_systems_are_told_by_their_device() -> None:
    assert disk_io._file_system(os.stat("/proc").st_dev) == "proc"
    assert disk_io._file_system(os.makedev(4000, 4000)) == ""


def test_disk_io_takes_no_short_read(monkeypatch: pytest.MonkeyPatch) -> None:
    source = readable("disk_io")
    source.read_raw(1)
    with monkeypatch.context() as patch:
        patch.setattr("os.preadv", lambda *_: 512)
        with pytest.raises(errors.SourceReadError, match="512 of 4096 bytes"):
            source.read_raw(5)
    assert len(source.read_raw(5)) == 5  # the private file was made anew
