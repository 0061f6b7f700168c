"""Sample files of every kind: bytes, wider words, text, CSV, NumPy."""

from __future__ import annotations

import csv
import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from esoteric_drbg.conformance.reduction import reduce_symbols
from esoteric_drbg.conformance.samples import SampleSet
from esoteric_drbg.errors import InvalidInputError

__all__ = ["FORMATS", "read_samples", "regular_file"]

_WORDS = {
    "u8": "<u1",
    "u16le": "<u2",
    "u16be": ">u2",
    "u32le": "<u4",
    "u32be": ">u4",
    "u64le": "<u8",
    "u64be": ">u8",
}
_SUFFIXES = {".npy": "npy", ".npz": "npz", ".csv": "csv", ".txt": "text"}

#: Names of the formats.
FORMATS = ("auto", *_WORDS, "text", "csv", "npy", "npz")

Values = NDArray[np.unsignedinteger]


def read_samples(
    source: str | os.PathLike[str] | bytes | bytearray | memoryview | NDArray[np.integer],
    bits: int | None = None,
    *,
    format: str = "auto",  # noqa: A002 - the word its users know
    column: str | int | None = None,
    subset: tuple[int, int] | None = None,
    reduction: str | None = None,
) -> SampleSet:
    """Read samples from a file, a buffer or an array.

    Parameters
    ----------
    source : path, buffer of bytes, or ndarray of integers, shape (samples,)
    bits : int, optional
        Bits per symbol of the raw data, 1 to 64; found from the data if None.
    format : str
        One of :data:`FORMATS`: unsigned words of 8 to 64 bits, little or big endian; whole numbers in text, decimal
        or 0x; a column of CSV; NumPy files. ``"auto"`` goes by the suffix of a path, and takes bytes where that says
        nothing.
    column : str or int, optional
        Column of a CSV file, by name or from 0; member of an .npz file.
    subset : (int, int), optional
        ``(index, samples)``: only the index-th block of that many samples.
    reduction : str, optional
        How symbols of more than 8 bits are reduced; see :func:`esoteric_drbg.conformance.reduction.reduce_symbols`.

    Returns
    -------
    SampleSet

    Raises
    ------
    InvalidInputError
        If the source is missing, empty, truncated, not a regular file, not readable, wider than `bits`, or holds
        something that is no whole number from 0 to 2^64 - 1. The message says which and where.

    Examples
    --------
    >>> from esoteric_drbg.conformance.sample_files import read_samples
    >>> samples = read_samples(bytes([1, 2, 1, 2]), format="u16be")
    >>> samples.symbols.tolist(), samples.reduction.method
    ([0, 0], 'distinct')
    """
    if format not in FORMATS:
        raise InvalidInputError(f"format={format!r}: expected one of {', '.join(FORMATS)}")
    if bits is not None and not 1 <= bits <= 64:
        raise InvalidInputError(f"bits={bits}: a symbol has 1 to 64 bits")
    if isinstance(source, np.ndarray):
        values = _checked(source, "the array")
    elif isinstance(source, bytes | bytearray | memoryview):
        values = _words(np.frombuffer(source, dtype=np.uint8), "u8" if format == "auto" else format, "the buffer")
    else:
        values = _from_file(Path(source), format, column)
    if values.size == 0:
        raise InvalidInputError(f"{_name(source)}: no samples")
    if subset is not None:
        index, samples = subset
        if index < 0 or samples < 1 or (index + 1) * samples > values.size:
            blocks = values.size // max(samples, 1)
            raise InvalidInputError(
                f"subset {index},{samples}: {_name(source)} has {values.size} samples, {blocks} such blocks"
            )
        values = values[index * samples : (index + 1) * samples]
    try:
        return _sample_set(values, bits, reduction)
    except InvalidInputError as error:
        raise InvalidInputError(f"{_name(source)}: {error}") from None


def regular_file(path: Path) -> int:
    """Return the size in bytes of a regular file that can be read; a pipe or a device is never opened.

    Raises
    ------
    InvalidInputError
        If there is no such file, or it is a directory, a pipe, a socket, a device, or not readable.
    """
    try:
        status = path.stat()
    except OSError as error:
        raise InvalidInputError(f"{path}: {error.strerror}") from None
    kinds = (
        (stat.S_ISDIR, "a directory"),
        (stat.S_ISFIFO, "a pipe"),
        (stat.S_ISSOCK, "a socket"),
        (stat.S_ISCHR, "a device"),
        (stat.S_ISBLK, "a device"),
    )
    for is_kind, kind in kinds:
        if is_kind(status.st_mode):
            raise InvalidInputError(f"{path}: this is {kind}; expected a file of recorded samples")
    if not os.access(path, os.R_OK):
        raise InvalidInputError(f"{path}: no permission to read it")
    return status.st_size


def _name(source: object) -> str:
    return str(source) if isinstance(source, str | os.PathLike) else "the samples"


def _from_file(path: Path, format: str, column: str | int | None) -> Values:  # noqa: A002
    size = regular_file(path)
    if size == 0:
        raise InvalidInputError(f"{path}: the file is empty")
    if format == "auto":
        format = _SUFFIXES.get(path.suffix.lower(), "u8")  # noqa: A001
    try:
        if format in _WORDS:
            return _words(np.fromfile(path, dtype=np.uint8), format, str(path))
        if format == "text":
            return _text(path)
        if format == "csv":
            return _csv(path, column)
        return _numpy(path, column)
    except OSError as error:
        raise InvalidInputError(f"{path}: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise InvalidInputError(f"{path}: not text: byte {error.start} is no UTF-8") from None


def _words(data: NDArray[np.uint8], format: str, name: str) -> Values:  # noqa: A002
    if format not in _WORDS:
        raise InvalidInputError(f"format={format!r} is for files; {name} holds words")
    word = np.dtype(_WORDS[format])
    if data.size % word.itemsize:
        raise InvalidInputError(
            f"{name}: {data.size} bytes are no whole number of {word.itemsize}-byte words: truncated?"
        )
    return data.view(word)


def _checked(array: NDArray[Any], name: str) -> Values:
    if array.ndim != 1:
        raise InvalidInputError(f"{name} has {array.ndim} dimensions; expected one, of samples")
    if array.dtype.kind not in "uib":
        raise InvalidInputError(f"{name} holds {array.dtype}; expected whole numbers")
    if array.dtype.kind == "i" and array.size and int(array.min()) < 0:
        at = int(np.flatnonzero(array < 0)[0])
        raise InvalidInputError(f"{name}: sample {at} is {array[at]}; expected 0 or more")
    unsigned: Values = (
        array if array.dtype.kind == "u" else array.astype(np.uint8 if array.dtype.kind == "b" else np.uint64)
    )
    return unsigned


def _whole_numbers(words: Iterable[tuple[int, str]], path: Path) -> Values:
    """Numbers from (line, word) pairs."""
    numbers = []
    for line, word in words:
        try:
            number = int(word, 16) if word[:2].lower() == "0x" else int(word)
        except ValueError:
            raise InvalidInputError(f"{path}, line {line}: {word[:40]!r} is no whole number") from None
        if not 0 <= number < 1 << 64:
            raise InvalidInputError(f"{path}, line {line}: {word[:40]} is not within 0 and 2^64 - 1")
        numbers.append(number)
    return np.array(numbers, dtype=np.uint64)


def _text(path: Path) -> Values:
    with path.open(encoding="utf-8") as lines:
        return _whole_numbers(((number, word) for number, line in enumerate(lines, 1) for word in line.split()), path)


def _csv(path: Path, column: str | int | None) -> Values:
    with path.open(encoding="utf-8-sig", newline="") as file:
        beginning = file.read(1 << 16)
        file.seek(0)
        try:
            dialect: type[csv.Dialect] = csv.Sniffer().sniff(beginning, delimiters=",;\t|")
        except csv.Error:
            dialect = csv.excel  # a single column has no delimiter
        try:
            rows = [(number, row) for number, row in enumerate(csv.reader(file, dialect), 1) if row]
        except csv.Error as error:
            raise InvalidInputError(f"{path}: {error}") from None
    if not rows:
        raise InvalidInputError(f"{path}: no rows")
    header = [cell.strip() for cell in rows[0][1]]
    has_header = not all(_is_number(cell) for cell in header)
    place = _column(path, header if has_header else None, len(header), column)
    words = []
    for number, row in rows[1 if has_header else 0 :]:
        if len(row) != len(header):
            raise InvalidInputError(f"{path}, line {number}: {len(row)} columns; the first line has {len(header)}")
        words.append((number, row[place].strip()))
    return _whole_numbers(words, path)


def _is_number(cell: str) -> bool:
    try:
        int(cell, 16) if cell[:2].lower() == "0x" else int(cell)
    except ValueError:
        return False
    return True


def _column(path: Path, header: list[str] | None, columns: int, column: str | int | None) -> int:
    if column is None:
        if columns == 1:
            return 0
        known = f": {', '.join(header)}" if header else ""
        raise InvalidInputError(f"{path}: {columns} columns; say which one holds the samples{known}")
    if header and str(column) in header:
        return header.index(str(column))
    if str(column).isdecimal() and int(column) < columns:
        return int(column)
    known = f" among {', '.join(header)}" if header else f": 0 to {columns - 1}"
    raise InvalidInputError(f"{path}: no column {column!r}{known}")


def _numpy(path: Path, member: str | int | None) -> Values:
    try:
        loaded = np.load(path, allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise InvalidInputError(f"{path}: no NumPy file of plain numbers: {error}") from None
    if isinstance(loaded, np.ndarray):
        return _checked(loaded, str(path))
    with loaded as archive:
        names = archive.files
        if member is None and len(names) != 1:
            raise InvalidInputError(f"{path}: say which array holds the samples: {', '.join(names) or 'none there'}")
        name = names[0] if member is None else str(member)
        if name not in names:
            raise InvalidInputError(f"{path}: no array {name!r} among {', '.join(names)}")
        try:
            return _checked(archive[name], f"{path}, {name}")
        except ValueError as error:
            if isinstance(error, InvalidInputError):
                raise
            raise InvalidInputError(f"{path}, {name}: {error}") from None


def _sample_set(values: Values, bits: int | None, reduction: str | None) -> SampleSet:
    widest = max(1, int(values.max()).bit_length())
    if bits is not None and widest > bits:
        raise InvalidInputError(f"symbol {int(values.max())} does not fit into bits={bits}")
    if widest <= 8 and (bits is None or bits <= 8) and reduction is None:
        return SampleSet.from_symbols(np.ascontiguousarray(values, dtype=np.uint8), bits)
    symbols, how = reduce_symbols(values.astype(np.uint64), reduction)
    samples = SampleSet.from_symbols(symbols)
    note = f"{how.raw_bits}-bit values reduced to {samples.bits} bits by {how.method!r} (6.4)"
    return attrs.evolve(samples, reduction=how, warnings=(*samples.warnings, note))
