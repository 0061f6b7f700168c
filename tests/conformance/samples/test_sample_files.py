"""Sample files: every format gives the same symbols, and every bad input is one clear error."""

from __future__ import annotations

import io
import mmap
import os
import pickle
import socket
import subprocess
import sys
import zipfile
from array import array
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from esoteric_drbg import errors
from esoteric_drbg.conformance.samples.files import FORMATS, read_samples
from esoteric_drbg.conformance.samples.private_copies import private_array
from esoteric_drbg.conformance.samples.sample_set import SampleSet

WORD_FORMATS = {"u16le": "<u2", "u16be": ">u2", "u32le": "<u4", "u32be": ">u4", "u64le": "<u8", "u64be": ">u8"}
SYMBOLS = st.lists(st.integers(0, 255), min_size=1, max_size=300)
WIDE = st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=256)


def npy_bytes(values: Any) -> bytes:
    stream = io.BytesIO()
    np.save(stream, values)
    return stream.getvalue()


def npz_bytes(**arrays: Any) -> bytes:
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)
    return stream.getvalue()


def forms(values: list[int]) -> dict[str, bytes]:
    """The same values in every format that holds them."""
    widest = max(values)
    written = {
        name: np.array(values, dtype=np.uint64).astype(word).tobytes()
        for name, word in WORD_FORMATS.items()
        if widest < 1 << 8 * np.dtype(word).itemsize
    }
    if widest < 256:
        written["u8"] = bytes(values)
    written["text"] = " \n".join(str(value) if value % 3 else hex(value) for value in values).encode()
    written["csv"] = "".join(["ticks\r\n", *(f"{value}\r\n" for value in values)]).encode()
    numbers = np.array(values, dtype=np.uint64)
    written["npy"] = npy_bytes(numbers)
    written["npz"] = npz_bytes(ticks=numbers)
    return written


@given(SYMBOLS)
@settings(max_examples=60, deadline=None)
def test_every_format_reads_back_the_symbols(values: list[int]) -> None:
    written = forms(values)
    assert set(written) == set(FORMATS) - {"auto"}
    for name, data in written.items():
        samples = read_samples(data, format=name)
        assert samples.symbols.tolist() == values, name
        assert samples.bits == max(1, max(values).bit_length()), name
        assert samples.reduction is None


@given(WIDE)
@settings(max_examples=60, deadline=None)
def test_every_format_reads_back_wide_values(values: list[int]) -> None:
    places = {value: place for place, value in enumerate(sorted(set(values)))}
    for name, data in forms(values).items():
        samples = read_samples(data, format=name, reduction="distinct")
        assert samples.symbols.tolist() == [places[value] for value in values], name
        assert samples.reduction is not None
        assert samples.reduction.raw_bits == max(1, max(values).bit_length())
        assert samples.reduction.lower_edges == tuple(sorted(places))


@given(SYMBOLS)
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_files_go_by_the_end_of_their_name(tmp_path: Path, values: list[int]) -> None:
    written = forms(values)
    endings = {"a.npy": "npy", "a.NPZ": "npz", "a.csv": "csv", "a.txt": "text", "a.bin": "u8", "a": "u8"}
    for name, form in endings.items():
        path = tmp_path / name
        path.write_bytes(written[form])
        assert read_samples(path).symbols.tolist() == values
        assert read_samples(str(path), format=form).symbols.tolist() == values
    for form, data in written.items():
        path = tmp_path / "b"
        path.write_bytes(data)
        assert read_samples(path, format=form).symbols.tolist() == values


@pytest.mark.parametrize("dtype", ["u1", "<u2", ">u2", "<u4", ">u4", "u8", "i1", ">i2", "i4", "i8", "f2", ">f4", "f8"])
def test_arrays_of_every_number_type(dtype: str) -> None:
    values = np.array([5, 0, 127, 2, 2], dtype=dtype)
    assert read_samples(values).symbols.tolist() == [5, 0, 127, 2, 2]
    assert read_samples(values[::2]).symbols.tolist() == [5, 127, 2]
    assert read_samples(values.reshape(1, 5, 1)).symbols.tolist() == [5, 0, 127, 2, 2]
    assert read_samples(npy_bytes(values), format="npy").symbols.tolist() == [5, 0, 127, 2, 2]


def test_other_buffers() -> None:
    assert read_samples(bytearray(b"\1\2")).symbols.tolist() == [1, 2]
    assert read_samples(memoryview(b"\1\2")).symbols.tolist() == [1, 2]
    assert read_samples(memoryview(array("H", [1, 200]))).symbols.tolist() == [1, 200]
    assert read_samples(np.array([True, False])).symbols.tolist() == [1, 0]
    assert read_samples(np.array([1, 2, 0, 3], dtype=np.uint8), format="u16le").symbols.tolist() == [0, 1]
    fortran = io.BytesIO()
    np.save(fortran, np.asfortranarray(np.array([[1], [2], [3]])))
    assert read_samples(fortran.getvalue(), format="npy").symbols.tolist() == [1, 2, 3]


def test_bytes_are_not_copied_and_what_others_may_write_is(tmp_path: Path) -> None:
    data = bytes(1000)
    samples = read_samples(data)
    assert samples.octets is data
    assert np.shares_memory(read_samples(data, subset=(1, 10)).symbols, samples.symbols)
    assert SampleSet.from_symbols(data).octets is data
    path = tmp_path / "a.bin"
    path.write_bytes(data)
    mapped = np.memmap(path, dtype=np.uint8, mode="r")
    for other in (np.zeros(1000, dtype=np.uint8), bytearray(1000), memoryview(bytearray(1000)), mapped):
        for samples in (read_samples(other), SampleSet.from_symbols(other), read_samples(other, subset=(0, 1000))):
            assert not np.shares_memory(samples.symbols, np.frombuffer(other, dtype=np.uint8))
            assert not samples.symbols.flags.writeable
            assert np.shares_memory(samples.symbols, np.frombuffer(samples.octets, dtype=np.uint8))
    assert not read_samples(path).symbols.flags.writeable


def test_arrays_in_mapped_files_are_copied_as_they_lie_there(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    values = np.arange(600, dtype=np.uint16).reshape(20, 30) % 200
    for order in ("C", "F"):
        mapped = np.memmap(path, dtype=np.uint16, mode="w+", shape=(20, 30), order=order)
        mapped[:] = values
        for part in (mapped, mapped.T, mapped[::-1], mapped[3:9, ::-2], mapped[::3, 4:5], mapped[7]):
            copy = private_array(part, "mapped")
            assert copy.tolist() == part.tolist()
            assert not np.shares_memory(copy, mapped)
            assert type(private_array(np.asarray(part), "mapped")) is np.ndarray
    with path.open("r+b") as file, mmap.mmap(file.fileno(), 0) as whole:
        assert read_samples(whole[:16]).octets == whole[:16]
        assert read_samples(whole, format="u16le").symbols.tolist() == values.T.reshape(-1).tolist()


def test_a_mapped_file_that_became_shorter_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(bytes(range(256)) * 1000)
    code = (
        "import os, sys, mmap\n"
        "import numpy as np\n"
        "from esoteric_drbg.conformance.samples.files import read_samples\n"
        "from esoteric_drbg.errors import InvalidInputError\n"
        "array = np.memmap(sys.argv[1], dtype=np.uint8, mode='r')\n"
        "file = open(sys.argv[1], 'r+b')\n"
        "mapped = mmap.mmap(file.fileno(), 0)\n"
        "file.truncate(5000)\n"
        "for source in (array, array[1::2], array.view('<u2'), mapped, memoryview(mapped)):\n"
        "    try: read_samples(source)\n"
        "    except InvalidInputError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("the file became shorter while it was read") == 5


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the peak of memory is read as Linux tells it")
def test_memory_for_a_hundred_million_samples(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    with path.open("wb") as file:
        for _ in range(100):
            file.write(bytes(range(250)) * 4000)
    code = (
        "import sys, resource\n"
        "from esoteric_drbg.conformance.samples.files import read_samples\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "samples = read_samples(sys.argv[1])\n"
        "assert samples.symbols.size == 100_000_000 and samples.alphabet == 250\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 150 * 1024  # KiB: the file's own pages, and little more


def test_subset_is_a_block() -> None:
    data = bytes(range(100))
    assert read_samples(data, subset=(0, 30)).symbols.tolist() == list(range(30))
    assert read_samples(data, subset=(2, 30)).symbols.tolist() == list(range(60, 90))
    with pytest.raises(errors.InvalidInputError, match="100 samples hold 3 blocks of 30"):
        read_samples(data, subset=(3, 30))
    for bad in ((-1, 5), (0, 0)):
        with pytest.raises(errors.InvalidInputError, match="subset"):
            read_samples(data, subset=bad)


def test_widths() -> None:
    samples = read_samples(b"\3\1", 4)
    assert samples.bits == 4
    assert "no symbol uses more than 2 of the 4 bits" in samples.warnings[0]
    wide = read_samples(np.array([3, 1], dtype=np.uint16), 12)
    assert wide.reduction is not None
    assert (wide.reduction.raw_bits, wide.bits) == (12, 1)
    assert any("12-bit values" in warning for warning in wide.warnings)
    assert read_samples(b"\7" * 5).alphabet == 1


def test_columns() -> None:
    table = b'"time, s"\tticks\n0\t7\n1\t0x10\n2\t9\n'
    for column in ("ticks", 1, "1"):
        assert read_samples(table, format="csv", column=column).symbols.tolist() == [7, 16, 9]
    assert read_samples(b"7|1\n8|2\n\n\n", format="csv", column=0).symbols.tolist() == [7, 8]
    assert read_samples(b"\xef\xbb\xbfa;b\n1;2.0\n", format="csv", column="b").symbols.tolist() == [2]
    assert read_samples(b",a\n0,5\n1,6\n", format="csv", column=0).symbols.tolist() == [0, 1]
    assert read_samples(b"3\n4", format="csv").symbols.tolist() == [3, 4]
    arrays = npz_bytes(a=np.array([1, 2]), b=np.array([3]))
    assert read_samples(arrays, format="npz", column="b").symbols.tolist() == [3]


def test_pieces_join_without_a_seam(monkeypatch: pytest.MonkeyPatch) -> None:
    values = list(range(256)) * 3
    text = "\n".join(map(str, values)).encode()
    for size in (1, 2, 3, 7, 64):
        monkeypatch.setattr("esoteric_drbg.conformance.samples.number_files.CHUNK_ROWS", size)
        assert read_samples(text, format="csv").symbols.tolist() == values
    for size in (4, 5, 7, 64):
        monkeypatch.setattr("esoteric_drbg.conformance.samples.number_files.CHUNK_BYTES", size)
        assert read_samples(b"\xef\xbb\xbf" + text, format="text").symbols.tolist() == values
        with pytest.raises(errors.InvalidInputError, match="line 242, number 3: 'x'"):
            read_samples(text.replace(b"\n241\n", b"\n241 7 x 8\n"), format="text")


BAD_TEXT = {
    b"1\n2\n-3\n": "line 3, number 1: '-3' is negative",
    b"1 2 3\n4 5.5 6": "line 2, number 2: '5.5' is no whole number",
    b"1\nsix\n": "line 2, number 1: 'six'",
    b"1,2\n": "line 1, number 1: '1,2'.*format='csv'",
    b"1\n18446744073709551616\n": "line 2, number 1: .* too wide: the largest sample is 18446744073709551615",
    b"1\n" + b"9" * 5000: "line 2, number 1: .* 5000 digits",
    b"1\n0x1g": "line 2, number 1: '0x1g'",
    b"1_000": "line 1, number 1: '1_000'",
    b"\xff\xfe1\x00": "UTF-16",
    b"1\n\xe9\n": r"line 2, number 1: '\\\\xe9'",
    b"1\n\xd9\xa1\n": "line 2, number 1",  # an Arabic digit
    b" \n \n": "no number in it",
    b"": "no number in it",
}


@pytest.mark.parametrize("data", BAD_TEXT)
def test_bad_text_is_named_by_its_line(data: bytes) -> None:
    with pytest.raises(errors.InvalidInputError, match=BAD_TEXT[data]):
        read_samples(data, format="text")


BAD_TABLES: dict[bytes, tuple[str | int | None, str]] = {
    b"a,b\n1,2\n1\n": ("a", "line 3: 1 cells; the first row has 2"),
    b"a,b\n1,2\n1,2,3\n": ("a", "line 3: 3 cells"),
    b"a,b\n1,2\n": ("c", "no column 'c'; there are 'a', 'b'"),
    b"a,b\n3,2\n": (None, "2 columns, 'a', 'b'; say which"),
    b"a,b\n1,4\n": (2, "no column 2; there are 2"),
    b"a,b\n1,5\n": (-1, "no column -1"),
    b"a,a\n1,5\n": ("a", "2 columns are named 'a'"),
    b"a\n1\n\n2\n": (None, "line 3: blank"),
    b"a,b\n1,\n": ("b", "line 2: '' is no whole number"),
    b"-1\n2\n": (None, "line 1: '-1' is negative"),
    b"1.5\n2\n": (None, "line 1: '1.5' is no whole number"),
    b"nan\n2\n": (None, "line 1: 'nan' is no whole number"),
    b'a\n"1\n2\n': (None, "line 3: unexpected end of data"),
    b"a\n" + b"1" * 200_000: (None, "line 2: field larger than field limit"),
    b"a,b\n1,\xff\n": ("b", r"line 2: '\\udcff'"),
    b"a,b\n": ("a", "no number in it"),
    b"": (None, "no row in it"),
    b"\n\n": (None, "no row in it"),
    b"\0\0\0\0": (None, "is no whole number|no number in it"),
}


@pytest.mark.parametrize("data", BAD_TABLES, ids=lambda data: repr(data[:20]))
def test_bad_tables_are_named_by_their_line(data: bytes) -> None:
    column, message = BAD_TABLES[data]
    with pytest.raises(errors.InvalidInputError, match=message):
        read_samples(data, format="csv", column=column)


class Unpickled:
    """Notes that it was unpickled, which must never happen."""

    happened = False

    def __reduce__(self) -> tuple[Any, ...]:
        return setattr, (Unpickled, "happened", True)


def test_bad_arrays() -> None:
    good = npy_bytes(np.arange(10, dtype=np.uint16))
    objects = npy_bytes(np.array([Unpickled()], dtype=object))
    cases = {
        good[:-3]: "cut off: 17 bytes of data",
        good + b"x": "too long: 21 bytes",
        good[:5]: "no npy array",
        b"": "no npy array",
        b"\x93NUMPY\x01\x00\x10\x00" + b"{'descr': ((((((": "no npy array",
        b"\x93NUMPY\x09\x00" + good[8:]: "no npy array",
        objects: "objects are never unpickled",
        pickle.dumps(Unpickled()): "no npy array",
        npy_bytes(np.array([(1, 2)], dtype="u1,u1")): "expected whole numbers",
        npy_bytes(np.array(["a"])): "expected whole numbers",
        npy_bytes(np.array([1j])): "expected whole numbers",
        npy_bytes(np.array([1.0, 2.5])): r"not a whole number: sample 1 \(counted from 0\) is 2.5",
        npy_bytes(np.array([1.0, np.nan])): "not a whole number: sample 1",
        npy_bytes(np.array([1.0, np.inf])): "too large to be exact: sample 1",
        npy_bytes(np.array([1, -7])): r"negative, samples are 0 or more: sample 1 \(counted from 0\) is -7",
        npy_bytes(np.zeros((2, 3), dtype=np.uint8)): r"shape \(2, 3\)",
        npy_bytes(np.array([], dtype=np.uint8)): "no samples",
    }
    for data, message in cases.items():
        with pytest.raises(errors.InvalidInputError, match=message):
            read_samples(data, format="npy")
    assert not Unpickled.happened


def test_bad_archives(tmp_path: Path) -> None:
    good = npz_bytes(a=np.arange(1000), b=np.arange(3))
    broken = bytearray(good)
    broken[80:100] = bytes(20)
    with zipfile.ZipFile(tmp_path / "text.npz", "w") as archive:
        archive.writestr("notes.txt", "nothing")
    cases: list[tuple[bytes, str | int | None, str]] = [
        (good, None, "say which with column=; there are 'a', 'b'"),
        (good, "c", "no array 'c'; there are 'a', 'b'"),
        (good, 0, "no array 0"),
        (bytes(broken), "a", "no readable npz file|no npy array"),
        (good[:-30], "a", "no readable npz file"),
        (b"", "a", "no readable npz file"),
        ((tmp_path / "text.npz").read_bytes(), None, "there are none"),
        (npz_bytes(a=np.array([Unpickled()], dtype=object)), None, "never unpickled"),
    ]
    for data, column, message in cases:
        with pytest.raises(errors.InvalidInputError, match=message):
            read_samples(data, format="npz", column=column)
    assert not Unpickled.happened


@given(st.binary(max_size=200), st.integers(0, 5), st.sampled_from([form for form in FORMATS if form != "auto"]))
@settings(max_examples=300, deadline=None)
def test_whatever_comes_is_samples_or_one_error(data: bytes, start: int, form: str) -> None:
    whole = [b"", npy_bytes(np.arange(9)), npz_bytes(a=np.arange(9)), b"a,b\n1,2\n", b"PK\x03\x04", b"1 2 3 "][start]
    for content in (whole + data, whole[: len(whole) // 2] + data + whole[len(whole) // 2 :]):
        message = ""
        try:
            assert read_samples(content, format=form).symbols.size > 0
        except errors.InvalidInputError as error:
            message = str(error)
        assert "\n" not in message


def test_damaged_words() -> None:
    with pytest.raises(
        errors.InvalidInputError, match=r"7 bytes are no whole number of 4-byte words.*begins at byte 4"
    ):
        read_samples(bytes(7), format="u32le")
    with pytest.raises(errors.InvalidInputError, match=r"does not fit into bits=3: sample 1 \(counted from 0\) is 8"):
        read_samples(b"\1\x08", 3)
    with pytest.raises(errors.InvalidInputError, match="line 1, number 2: '8' is too wide: the largest sample is 7"):
        read_samples(b"1 8", 3, format="text")
    for bits in (0, 65, -1):
        with pytest.raises(errors.InvalidInputError, match="1 to 64 bits"):
            read_samples(b"\1", bits)


def test_bad_arguments() -> None:
    source: Any
    with pytest.raises(errors.InvalidInputError, match="expected one of auto, u8"):
        read_samples(b"1", format="u24")
    with pytest.raises(errors.InvalidInputError, match="format u8 has no columns"):
        read_samples(b"1", column="a")
    with pytest.raises(errors.InvalidInputError, match="has its own format"):
        read_samples(np.array([1.0]), format="u16le")
    for source in ([1, 2], None, 7, memoryview(bytes(10))[::2]):
        with pytest.raises(errors.InvalidInputError, match="contiguous"):
            read_samples(source)
    source = np.array([1, 2])
    with pytest.raises(errors.InvalidInputError, match="expected uint8"):
        SampleSet.from_symbols(np.array([1, 2]))
    with pytest.raises(errors.InvalidInputError, match="no samples"):
        read_samples(b"")


@pytest.mark.parametrize("suffix", ["", ".txt", ".csv", ".npy", ".npz"])
def test_what_is_no_file_is_refused_at_once(tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / f"a{suffix}"
    with pytest.raises(errors.InvalidInputError, match=f"a{suffix}': cannot be opened: No such file"):
        read_samples(path)
    path.mkdir()
    with pytest.raises(errors.InvalidInputError, match="a directory, not a regular file"):
        read_samples(path)
    path.rmdir()
    os.mkfifo(path)
    with pytest.raises(errors.InvalidInputError, match="a pipe, not a regular file"):
        read_samples(path)
    path.unlink()
    monkeypatch.chdir(tmp_path)  # a socket's path has a short limit
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path.name)
        with pytest.raises(errors.InvalidInputError, match="a socket, not a regular file"):
            read_samples(path)
    path.unlink()
    path.symlink_to("/dev/zero")
    with pytest.raises(errors.InvalidInputError, match="a device, not a regular file"):
        read_samples(path)
    path.unlink()
    path.symlink_to(path)
    with pytest.raises(errors.InvalidInputError, match="cannot be opened"):
        read_samples(path)
    path.unlink()
    path.touch()
    with pytest.raises(errors.InvalidInputError, match=r"^\S+: (empty|no |there is no)"):
        read_samples(path)
    for name in ("a\0b", "a" * 5000, str(tmp_path / "a" / "b")):
        with pytest.raises(errors.InvalidInputError, match="cannot be opened"):
            read_samples(name)


def test_no_permission(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"123")
    path.chmod(0)
    code = (
        "import os, sys\n"
        "from esoteric_drbg.errors import InvalidInputError\n"
        "from esoteric_drbg.conformance.samples.files import read_samples\n"
        "os.chdir(sys.argv[1])\n"
        "if os.geteuid() == 0: os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "try: read_samples('a.bin')\n"
        "except InvalidInputError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=False)
    if "Operation not permitted" in done.stderr:
        pytest.skip("root without the right to become another user: nobody is refused")
    assert "Permission denied" in done.stdout, done.stderr
    assert done.stdout.startswith("'a.bin': cannot be opened")
