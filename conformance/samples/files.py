"""Reading samples: bytes, arrays and files of several formats become one :class:`SampleSet`."""

from __future__ import annotations

import contextlib
import io
import mmap
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from esoteric_drbg.conformance.samples.array_files import read_npy, read_npz, read_words
from esoteric_drbg.conformance.samples.private_copies import bytes_of, private_array
from esoteric_drbg.conformance.samples.reduction import chunks, reduce_values
from esoteric_drbg.conformance.samples.sample_set import SampleSet
from esoteric_drbg.errors import InvalidInputError
from esoteric_drbg.kernels.memory import OutOfMemoryIsOurs

__all__ = ["FORMATS", "Source", "load_values", "open_samples", "read_file", "read_samples", "taken", "to_sample_set"]

#: Raw formats and the type of their words.
WORDS: dict[str, np.dtype[Any]] = {
    "u8": np.dtype("u1"),
    "u16le": np.dtype("<u2"),
    "u16be": np.dtype(">u2"),
    "u32le": np.dtype("<u4"),
    "u32be": np.dtype(">u4"),
    "u64le": np.dtype("<u8"),
    "u64be": np.dtype(">u8"),
}
#: Every format that `read_samples` knows.
FORMATS = ("auto", *WORDS, "text", "csv", "npy", "npz")
#: The format of a file by the end of its name; any other is "u8".
SUFFIXES = {".npy": "npy", ".npz": "npz", ".csv": "csv", ".txt": "text"}
#: Floating-point numbers represent every whole number up to this one.
MOST_IN_FLOAT = 1 << 53

Source = bytes | bytearray | memoryview | mmap.mmap | NDArray[Any] | str | os.PathLike[str]


@OutOfMemoryIsOurs("the samples")
def read_samples(
    source: Source,
    bits: int | None = None,
    *,
    format: str = "auto",  # noqa: A002 - the natural word, and a keyword only
    column: str | int | None = None,
    subset: tuple[int, int] | None = None,
    reduction: str | None = None,
) -> SampleSet:
    """Read samples of any kind for assessment.

    Parameters
    ----------
    source : bytes, bytearray, memoryview, mmap, ndarray, str or path
        The samples, or the file with them. An array has one dimension whose length is not 1; it holds unsigned
        integers, or signed ones, booleans or floats that are all whole numbers from 0; it may be a memory map. Writable
        memory is copied first, and a file is read as a whole: later changes have no effect.
    bits : int, optional
        Width of a raw sample, 1 to 64; found from the highest bit set if None.
    format : str
        ``"u8"`` (one sample a byte), ``"u16le"``, ``"u16be"``, ``"u32le"``, ``"u32be"``, ``"u64le"``, ``"u64be"``
        (words, little-endian or big-endian), ``"text"``, ``"csv"``, ``"npy"``, ``"npz"``. ``"auto"`` goes by the end of
        the file's name (.npy, .npz, .csv, .txt) and is ``"u8"`` otherwise.
    column : str or int, optional
        Column of a table, by name or counted from 0; for npz, the name of the array. Required if there are several.
    subset : tuple of two ints, optional
        ``(index, samples)``: only the samples from ``index x samples`` to ``(index + 1) x samples``.
    reduction : str, optional
        How samples of more than 8 bits become symbols, see
        :func:`esoteric_drbg.conformance.samples.reduction.reduce_values`. If None, wide samples are numbered in order
        if at most 256 values occur, otherwise reduced to their best eight bits.

    Returns
    -------
    SampleSet
        Its `reduction` says how wide samples were reduced.

    Raises
    ------
    InvalidInputError
        If the file does not exist, is not regular, is empty, ends within a word, lacks the column, or changed while it
        was read; or if a sample is not a whole number, is negative, or is too wide. The message names the source and,
        if there is one, the place (line, byte or sample).
    OutOfMemoryError
        If there is not enough memory.

    Examples
    --------
    >>> import numpy as np
    >>> from esoteric_drbg.conformance.samples.files import read_samples
    >>> read_samples(bytes([1, 0, 3, 2])).bits
    2
    >>> wide = read_samples(b"\\x00\\x01\\x00\\x02\\xff\\xff", format="u16be")
    >>> wide.symbols.tolist(), wide.reduction.kind, wide.reduction.raw_bits
    ([0, 1, 2], 'distinct', 16)
    >>> read_samples(b"7 9 7", format="text", subset=(1, 1)).symbols.tolist()
    [9]
    """
    _check_arguments(bits, format, subset)
    name, values = load_values(source, bits, format=format, column=column)
    values = taken(source, _subset(_one_dimension(values, name), subset, name), name)
    if values.size == 0:
        raise InvalidInputError(f"{name}: empty, there are no samples")
    return to_sample_set(values, name, bits, reduction)


@OutOfMemoryIsOurs("the samples")
def to_sample_set(values: NDArray[Any], name: str, bits: int | None, reduction: str | None) -> SampleSet:
    """Make a sample set of loaded values in one dimension, reducing wide ones; the second half of `read_samples`."""
    values = _unsigned(values, name, bits)
    try:
        width = bits or max(1, max(int(chunk.max()) for _, chunk in chunks(values)).bit_length())
        if reduction is not None or width > 8:
            symbols, how = reduce_values(values, width, reduction)
            return SampleSet.from_symbols(symbols, len(how.bits) or None, reduction=how)
        return SampleSet.from_symbols(_as_bytes(values), bits)
    except InvalidInputError as error:
        raise InvalidInputError(f"{name}: {error}") from None


def taken(source: Source, values: NDArray[Any], name: str) -> NDArray[Any]:
    """Return a private copy of the loaded values of a source, since `to_sample_set` needs values that nobody changes.

    Values that were read from a file are private already.
    """
    return values if isinstance(source, (str, os.PathLike)) else private_array(values, name)


def _check_arguments(bits: int | None, form: str, subset: tuple[int, int] | None) -> None:
    if form not in FORMATS:
        raise InvalidInputError(f"format={form!r}: expected one of {', '.join(FORMATS)}")
    if bits is not None and not 1 <= bits <= 64:
        raise InvalidInputError(f"bits={bits}: a raw sample has 1 to 64 bits")
    if subset is not None and (len(subset) != 2 or subset[0] < 0 or subset[1] < 1):
        raise InvalidInputError(f"subset={subset!r}: expected (index, samples), from 0 and from 1")


@OutOfMemoryIsOurs("the samples")
def load_values(
    source: Source,
    bits: int | None = None,
    *,
    format: str = "auto",  # noqa: A002 - as in read_samples
    column: str | int | None = None,
) -> tuple[str, NDArray[Any]]:
    """Return the name of the source, and its values unchanged, in their shape; the first half of `read_samples`.

    Text and tables are checked here, number by number; arrays and raw words are not checked.

    Raises
    ------
    InvalidInputError
        If the source cannot be read in this format.
    """
    _check_arguments(bits, format, None)
    form = format
    if isinstance(source, (str, os.PathLike)):
        name = os.fsdecode(source)
        if form == "auto":
            form = SUFFIXES.get(Path(name).suffix.lower(), "u8")
        _check_column(column, form)
        with open_samples(name) as file:
            return name, _parse(file, name, bits, form, column)
    name = type(source).__name__
    if isinstance(source, memoryview) and source.itemsize > 1:
        source = np.asarray(source)
    if isinstance(source, np.ndarray) and (form == "auto" or source.dtype != np.uint8):
        if form != "auto" or column is not None:
            raise InvalidInputError(
                f"format={form!r}, column={column!r}: an array of {source.dtype} has its own format"
            )
        return name, source
    form = "u8" if form == "auto" else form
    _check_column(column, form)
    try:
        octets = np.frombuffer(source, dtype=np.uint8)
    except (TypeError, ValueError, BufferError):
        raise InvalidInputError(f"source: expected bytes, an array or a path, contiguous; not {name}") from None
    if form in WORDS:
        return name, read_words(octets, name, WORDS[form])
    return name, _parse(io.BytesIO(octets.data), name, bits, form, column)


def _parse(file: BinaryIO, name: str, bits: int | None, form: str, column: str | int | None) -> NDArray[Any]:
    most = (1 << (bits or 64)) - 1
    try:
        if form in {"text", "csv"}:
            from esoteric_drbg.conformance.samples.number_files import read_csv, read_text  # noqa: PLC0415 - words do not need it

            if form == "text":
                return read_text(file, name, most)
            return read_csv(file, name, column, most)
        if form == "npy":
            return read_npy(file, name)
        if form == "npz":
            return read_npz(file, name, column)
        return read_words(file, name, WORDS[form])
    except OSError as error:
        raise InvalidInputError(f"{name}: cannot be read: {error.strerror or error}") from None


def _check_column(column: str | int | None, form: str) -> None:
    if column is not None and form not in {"csv", "npz"}:
        raise InvalidInputError(f"column={column!r}: format {form} has no columns")


@contextlib.contextmanager
def open_samples(name: str) -> Iterator[BinaryIO]:
    """Open a regular file for reading; anything else is refused at once, without waiting for it.

    Raises
    ------
    InvalidInputError
        If there is no such file, it may not be read, or it is a directory, pipe, device or socket; at the end, if its
        size, its time of modification or its name shows that it changed meanwhile.
    """
    try:
        _require_regular(os.stat(name).st_mode, name)  # noqa: PTH116 - a path need not be one for pathlib
        # If something else was put in its place meanwhile, do not wait for it.
        descriptor = os.open(name, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))
    except (OSError, ValueError) as error:
        if isinstance(error, InvalidInputError):
            raise
        reason = error.strerror if isinstance(error, OSError) else error
        raise InvalidInputError(f"{name!r}: cannot be opened: {reason}") from None
    with os.fdopen(descriptor, "rb") as file:
        before = os.fstat(descriptor)
        _require_regular(before.st_mode, name)
        try:
            yield file
        except InvalidInputError:
            # An error found in a file that changed says nothing about the file.
            _refuse_changed(name, before, os.fstat(descriptor))
            raise
        _refuse_changed(name, before, os.fstat(descriptor))


def _refuse_changed(name: str, before: os.stat_result, now: os.stat_result) -> None:
    if now.st_size != before.st_size:
        change = f"{before.st_size} bytes became {now.st_size}"
    elif now.st_mtime_ns != before.st_mtime_ns:
        change = "it was written to"
    else:
        try:
            if os.path.samestat(os.stat(name), before):  # noqa: PTH116 - a path need not be one for pathlib
                return
        except OSError:
            return  # its name is gone, but its contents are complete
        change = "another file took its name"
    raise InvalidInputError(f"{name}: the file changed while it was read: {change}; assess a copy of it")


def read_file(name: str | os.PathLike[str]) -> bytes:
    """Return the contents of a regular file that does not change while it is read.

    Raises
    ------
    InvalidInputError
        As `open_samples`.
    """
    with open_samples(os.fsdecode(name)) as file:
        return bytes_of(read_words(file, os.fsdecode(name), WORDS["u8"]))


def _require_regular(mode: int, name: str) -> None:
    if stat.S_ISREG(mode):
        return
    kinds = ((stat.S_ISDIR, "a directory"), (stat.S_ISFIFO, "a pipe"), (stat.S_ISSOCK, "a socket"))
    kind = next((text for test, text in kinds if test(mode)), "a device")
    raise InvalidInputError(f"{name!r}: {kind}, not a regular file; record samples into a file first")


def _subset(values: NDArray[Any], subset: tuple[int, int] | None, name: str) -> NDArray[Any]:
    if subset is None:
        return values
    index, samples = subset
    if (index + 1) * samples > values.size:
        raise InvalidInputError(
            f"{name}: subset={subset}: {values.size} samples hold {values.size // samples} blocks of {samples}"
        )
    return values[index * samples : (index + 1) * samples]


def _one_dimension(array: NDArray[Any], name: str) -> NDArray[Any]:
    """Return the array without dimensions of length 1; refuse one with two or more others."""
    if sum(length != 1 for length in array.shape) > 1:
        raise InvalidInputError(f"{name}: shape {array.shape}: expected one dimension, sample after sample")
    return array.reshape(-1)


def _unsigned(values: NDArray[Any], name: str, bits: int | None = None) -> NDArray[Any]:
    """Check that every value is a whole number from 0 that fits into `bits`, and return them as unsigned integers.

    Unsigned integers are not copied; signed ones are viewed as unsigned, not copied.

    Raises
    ------
    InvalidInputError
        If a sample does not fit; the message names the first one. Negative samples are refused, since their bit pattern
        depends on a width that the array does not give: view or shift such values yourself.
    """
    kind = values.dtype.kind
    if kind not in "buif" or values.dtype.itemsize > 8:
        raise InvalidInputError(f"{name}: type {values.dtype}: expected whole numbers of at most 64 bits")
    if kind == "b":
        return values.view(np.uint8)
    for begin, chunk in chunks(values):
        if kind == "f":
            _refuse(chunk != np.floor(chunk), chunk, begin, f"{name}: not a whole number")
            _refuse(chunk.astype(np.float64) > MOST_IN_FLOAT, chunk, begin, f"{name}: too large to be exact")
        if kind != "u":
            _refuse(chunk < 0, chunk, begin, f"{name}: negative, samples are 0 or more")
        if bits is not None and bits < 8 * values.dtype.itemsize:
            _refuse(chunk > (1 << bits) - 1, chunk, begin, f"{name}: does not fit into bits={bits}")
    if kind == "f":
        return values.astype(np.uint64)
    return values if kind == "u" else values.view(values.dtype.str.replace("i", "u"))


def _refuse(faults: NDArray[np.bool_], chunk: NDArray[Any], begin: int, reason: str) -> None:
    """Raise an error that names the first fault, if there is one."""
    if faults.any():
        index = int(faults.argmax())
        raise InvalidInputError(f"{reason}: sample {begin + index} (counted from 0) is {chunk[index]}")


def _as_bytes(values: NDArray[Any]) -> NDArray[np.uint8]:
    """Return values below 256, one a byte; contiguous bytes are not copied."""
    if values.dtype == np.uint8:
        return np.ascontiguousarray(values)
    symbols = np.empty(values.size, dtype=np.uint8)
    for begin, chunk in chunks(values):
        symbols[begin : begin + chunk.size] = chunk
    return symbols
