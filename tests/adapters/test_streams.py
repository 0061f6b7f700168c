"""Random bytes as a file."""

from __future__ import annotations

import copy
import hashlib
import io
import pickle
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from esoteric_drbg import RandomFile
from esoteric_drbg.adapters.byte_source import PIECE_BYTES
from esoteric_drbg.errors import CloneRefusedError, EntropyUnavailableError, InvalidInputError


def stream(n_bytes: int) -> bytes:
    return hashlib.shake_128(b"file").digest(n_bytes)


class Source:
    """Gives a known byte stream, up to a limit."""

    def __init__(self, limit: int = 1 << 40) -> None:
        self.given = 0
        self.limit = limit

    def token_bytes(self, n_bytes: int) -> bytes:
        if self.given + n_bytes > self.limit:
            raise EntropyUnavailableError("no more")
        self.given += n_bytes
        return stream(self.given)[-n_bytes:]


SIZES = (0, 1, 31, 4096, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 3 * PIECE_BYTES)


@pytest.mark.parametrize("size", SIZES)
def test_reads_of_every_size(size: int) -> None:
    file = RandomFile(Source())
    buffer = bytearray(size)
    assert file.read(size) == stream(size)
    assert file.readinto(buffer) == size
    assert file.read(3) == stream(2 * size + 3)[-3:]
    assert buffer == stream(2 * size)[size:]


def test_readinto_takes_any_contiguous_buffer() -> None:
    array = np.zeros((3, 5))
    assert RandomFile(Source()).readinto(array) == 120
    assert array.tobytes() == stream(120)
    assert RandomFile(Source()).readinto(np.empty((0, 4))) == 0
    for bad in (b"read-only", np.zeros((4, 4))[:, 1], "text", 12):
        with pytest.raises((TypeError, ValueError, BufferError)):
            RandomFile(Source()).readinto(bad)


def test_readinto_hands_the_buffer_itself_to_the_instance() -> None:
    class Direct(Source):
        def readinto(self, buffer: memoryview) -> int:
            assert buffer.obj is target
            buffer[:] = stream(len(buffer))
            return len(buffer)

    target = bytearray(100)
    RandomFile(Direct()).readinto(target)
    assert target == stream(100)


def test_an_endless_file_has_no_end_to_read_to() -> None:
    file = RandomFile(Source())
    for read in (file.read, file.readall, lambda: file.read(-1), lambda: file.read(None)):
        with pytest.raises(InvalidInputError, match="endless"):
            read()
    assert file.read(0) == b""


def test_a_limit_ends_the_file() -> None:
    file = RandomFile(Source(), limit=10)
    assert repr(file) == "<RandomFile, 10 bytes left>"
    assert file.read(4) == stream(4)
    assert file.readinto(bytearray(100)) == 6
    assert file.read(1) == b""
    assert file.readinto(bytearray(1)) == 0
    assert RandomFile(Source(), limit=10).read() == stream(10)
    assert RandomFile(Source(), limit=0).readall() == b""
    with pytest.raises(InvalidInputError, match="limit=-1"):
        RandomFile(Source(), limit=-1)


def test_it_is_a_binary_file_open_for_reading() -> None:
    file = RandomFile(Source())
    assert isinstance(file, io.RawIOBase)
    assert (file.readable(), file.writable(), file.seekable(), file.isatty()) == (True, False, False, False)
    for name, arguments in {"fileno": (), "tell": (), "seek": (0,), "truncate": (0,), "write": (b"",)}.items():
        with pytest.raises((OSError, NotImplementedError)):
            getattr(file, name)(*arguments)
    assert len(io.BufferedReader(file, 64).read(100)) == 100
    with pytest.raises(CloneRefusedError):
        pickle.dumps(file)
    with pytest.raises(CloneRefusedError):
        copy.copy(file)


def test_a_closed_file_gives_nothing() -> None:
    with RandomFile(Source()) as file:
        assert len(file.read(5)) == 5
    assert repr(file) == "<RandomFile, closed>"
    for read in (lambda: file.read(1), lambda: file.readinto(bytearray(1)), lambda: file.read(0)):
        with pytest.raises(ValueError, match="closed"):
            read()


def test_an_error_in_the_middle_surfaces_and_counts_nothing() -> None:
    source = Source(PIECE_BYTES + 5)
    file = RandomFile(source, limit=3 * PIECE_BYTES)
    for read in (lambda: file.read(2 * PIECE_BYTES), lambda: file.readinto(bytearray(2 * PIECE_BYTES))):
        with pytest.raises(EntropyUnavailableError):
            read()
    assert repr(file) == f"<RandomFile, {3 * PIECE_BYTES} bytes left>"
    source.limit = 1 << 40
    assert len(file.read()) == 3 * PIECE_BYTES


def test_users_of_files(tmp_path: Path) -> None:
    with (tmp_path / "copy").open("wb") as target:
        shutil.copyfileobj(RandomFile(Source(), limit=300_000), target)
    assert (tmp_path / "copy").read_bytes() == stream(300_000)

    entry = tarfile.TarInfo("random")
    entry.size = 5000
    with tarfile.open(tmp_path / "archive.tar", "w") as archive:
        archive.addfile(entry, RandomFile(Source()))
    with tarfile.open(tmp_path / "archive.tar") as archive:
        member: Any = archive.extractfile("random")
        assert member.read() == stream(5000)

    code = "import sys, hashlib; print(hashlib.sha256(sys.stdin.buffer.read()).hexdigest())"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin
        assert process.stdout
        shutil.copyfileobj(RandomFile(Source(), limit=100_000), process.stdin)
        process.stdin.close()
        assert process.stdout.read().decode().strip() == hashlib.sha256(stream(100_000)).hexdigest()


def test_by_default_it_reads_from_the_process_wide_instance() -> None:
    first, second = RandomFile(), RandomFile()
    assert len({first.read(32), second.read(32), first.read(32)}) == 3
    assert len(first.read(1 << 20)) == 1 << 20
    with pytest.raises(InvalidInputError, match="token_bytes"):
        RandomFile(3)  # type: ignore[arg-type]
