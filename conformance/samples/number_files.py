"""Whole numbers from text and CSV files: exact, read in small pieces, and every error names its line."""

from __future__ import annotations

import csv
import functools
import io
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from esoteric_drbg.errors import InvalidInputError

__all__ = ["read_csv", "read_text"]

MOST_64_BITS = (1 << 64) - 1
#: Bytes of a text, or rows of a table, that are parsed at a time.
CHUNK_BYTES = 1 << 20
CHUNK_ROWS = 1 << 16
#: Most digits of a number; longer ones are not samples, and would be slow to convert.
LONGEST_NUMBER = 100
DELIMITERS = ",;\t|"

_WHOLE = re.compile(r"(?P<decimal>[0-9]+)(?:\.0*)?|0[xX](?P<hex>[0-9a-fA-F]+)")
_MISSING = {"", "na", "n/a", "nan", "inf", "infinity", "none", "null"}

Numbers = NDArray[np.unsignedinteger[Any]]


def read_text(stream: BinaryIO, name: str, most: int = MOST_64_BITS) -> Numbers:
    """Read whole numbers separated by blanks or line ends: decimal, or hexadecimal with 0x.

    Parameters
    ----------
    stream : binary file
        ASCII text; a UTF-8 byte-order mark is skipped.
    name : str
        Name of the file in error messages.
    most : int
        The largest number allowed, at most 2^64 - 1.

    Returns
    -------
    ndarray of unsigned integers, shape (samples,)
        Of the narrowest type that holds them.

    Raises
    ------
    InvalidInputError
        If there is anything but whole numbers from 0 to `most`; the message names the line, and the number in it.

    Examples
    --------
    >>> import io
    >>> from esoteric_drbg.conformance.samples.number_files import read_text
    >>> read_text(io.BytesIO(b"3 255\\n0x10\\n"), "example").tolist()
    [3, 255, 16]
    """
    pieces: list[Numbers] = []
    line, before = 1, 0  # where a piece begins: its line, and numbers in that line before it
    for text in _whole_tokens(stream, name):
        tokens = [token.decode("ascii", "backslashreplace") for token in text.split()]
        numbers = _fast(tokens, most)
        if numbers is None:
            numbers = _careful(tokens, most, functools.partial(_place, name, text, line, before))
        pieces.append(numbers)
        lines = text.count(b"\n")
        before = len(text[text.rfind(b"\n") + 1 :].split()) + (0 if lines else before)
        line += lines
    return _joined(pieces, name)


def _whole_tokens(stream: BinaryIO, name: str) -> Iterator[bytes]:
    """Yield the text in pieces that end between two numbers."""
    rest = stream.read(3)
    rest = b"" if rest == b"\xef\xbb\xbf" else rest
    if rest[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        raise InvalidInputError(f"{name}, byte 0: UTF-16 text; save it as UTF-8 or ASCII")
    while True:
        piece = stream.read(CHUNK_BYTES)
        if not piece:
            yield rest
            return
        text = rest + piece
        end = max(text.rfind(blank) for blank in (b"\n", b" ", b"\t", b"\r")) + 1
        if not end and len(text) > CHUNK_BYTES:
            raise InvalidInputError(f"{name}: {len(text)} bytes without a blank or line end; is this text?")
        yield text[:end]
        rest = text[end:]


def _place(name: str, text: bytes, line: int, before: int, index: int) -> str:
    """Return the place of number `index` of a piece of text."""
    for row in text.split(b"\n"):
        inside = len(row.split())
        if index < inside:
            break
        index, line, before = index - inside, line + 1, 0
    return f"{name}, line {line}, number {before + index + 1}"


def _fast(tokens: Sequence[str], most: int) -> Numbers | None:
    """Convert plain decimal numbers; None if there is anything else."""
    if not tokens:
        return np.empty(0, dtype=np.uint8)
    joined = "".join(tokens)
    if not (joined.isascii() and joined.isdigit()) or "" in tokens or max(map(len, tokens)) > LONGEST_NUMBER:
        return None
    numbers = list(map(int, tokens))
    largest = max(numbers)
    return np.array(numbers, dtype=_narrowest(largest)) if largest <= most else None


def _careful(tokens: Sequence[str], most: int, place: Callable[[int], str]) -> Numbers:
    """Convert one by one; an error names the first fault by ``place(index)``."""
    numbers = []
    for index, token in enumerate(tokens):
        try:
            numbers.append(_number(token, most))
        except InvalidInputError as error:
            raise InvalidInputError(f"{place(index)}: {error}") from None
    return np.array(numbers, dtype=_narrowest(max(numbers)))


def _number(token: str, most: int) -> int:
    shown = repr(token if len(token) <= 40 else token[:37] + "...")
    match = _WHOLE.fullmatch(token)
    if match is None:
        if re.fullmatch(r"-(0[xX])?[0-9a-fA-F]+", token):
            raise InvalidInputError(f"{shown} is negative; samples are 0 or more")
        hint = "; read tables with format='csv'" if token.count(",") + token.count(";") else ""
        raise InvalidInputError(f"{shown} is no whole number, decimal or 0x{hint}")
    if len(token) > LONGEST_NUMBER:
        raise InvalidInputError(f"{shown} has {len(token)} digits: too wide")
    number = int(match["hex"], 16) if match["hex"] else int(match["decimal"])
    if number > most:
        raise InvalidInputError(f"{shown} is too wide: the largest sample is {most} ({most.bit_length()} bits)")
    return number


def _narrowest(largest: int) -> type[np.unsignedinteger[Any]]:
    if largest < 1 << 8:
        return np.uint8
    if largest < 1 << 16:
        return np.uint16
    return np.uint32 if largest < 1 << 32 else np.uint64


def _joined(pieces: Sequence[Numbers], name: str) -> Numbers:
    filled = [piece for piece in pieces if piece.size]
    if not filled:
        raise InvalidInputError(f"{name}: there is no number in it")
    return np.concatenate(filled)


def read_csv(stream: BinaryIO, name: str, column: str | int | None = None, most: int = MOST_64_BITS) -> Numbers:
    """Read one column of a table whose columns are separated by comma, semicolon, tab or vertical bar.

    The first row is a header if the column's cell in it cannot be meant as a number.

    Parameters
    ----------
    stream : binary file
        UTF-8 text, with or without a byte-order mark.
    name : str
        Name of the file in error messages.
    column : str or int, optional
        The column's name in the header, or its place counted from 0. If None, the table must have one column.
    most : int
        The largest number allowed, at most 2^64 - 1.

    Returns
    -------
    ndarray of unsigned integers, shape (samples,)

    Raises
    ------
    InvalidInputError
        If the column is missing, a row has another number of cells or is blank, or a cell is not a whole number; the
        message names the line.

    Examples
    --------
    >>> import io
    >>> from esoteric_drbg.conformance.samples.number_files import read_csv
    >>> read_csv(io.BytesIO(b"t;ticks\\n0;17\\n1;0x1f\\n"), "example", "ticks").tolist()
    [17, 31]
    """
    # Bytes that are not UTF-8 become lone surrogates: a cell with them is not a number, and the error names it.
    text = io.TextIOWrapper(stream, encoding="utf-8-sig", errors="surrogateescape", newline="")
    try:
        rows = _rows(text, name)
        line, header = next(rows, (0, []))
        if not header:
            raise InvalidInputError(f"{name}: there is no row in it")
        place, has_header = _column(header, column, f"{name}, line {line}")
        pieces = []
        cells: list[str] = [] if has_header else [header[place].strip()]
        lines: list[int] = [] if has_header else [line]
        for line, row in rows:
            if len(row) != len(header):
                raise InvalidInputError(f"{name}, line {line}: {len(row)} cells; the first row has {len(header)}")
            cells.append(row[place].strip())
            lines.append(line)
            if len(cells) == CHUNK_ROWS:
                pieces.append(_cells(cells, lines, most, name))
                cells, lines = [], []
        pieces.append(_cells(cells, lines, most, name))
    finally:
        text.detach()
    return _joined(pieces, name)


def _rows(text: io.TextIOWrapper, name: str) -> Iterator[tuple[int, list[str]]]:
    """Yield ``(line, cells)`` of each row; blank lines are allowed only at the end."""
    first = ""
    skipped = 0
    while not first.strip():
        skipped += bool(first)
        first = text.readline(CHUNK_BYTES)
        if not first:
            return
    if len(first) >= CHUNK_BYTES:
        raise InvalidInputError(f"{name}: its first line has {len(first)} characters or more; is this a table?")
    outside_quotes = re.sub(r'"[^"]*"', "", first)
    delimiter = max(DELIMITERS, key=outside_quotes.count)

    def lines() -> Iterator[str]:
        yield first
        yield from iter(lambda: text.readline(CHUNK_BYTES), "")

    reader = csv.reader(lines(), delimiter=delimiter, strict=True)
    blank = 0
    try:
        for row in reader:
            line = reader.line_num + skipped
            if not row or not any(cell.strip() for cell in row):
                blank = blank or line
                continue
            if blank:
                raise InvalidInputError(f"{name}, line {blank}: blank, yet rows follow; is a value missing?")
            yield line, row
    except csv.Error as error:
        raise InvalidInputError(f"{name}, line {reader.line_num + skipped}: {error}") from None


def _looks_like_data(cell: str) -> bool:
    """Return whether a cell of the first row may be meant as a number, valid or not."""
    return cell.strip().lower() in _MISSING or cell.strip()[0] in "0123456789+-."


def _column(header: Sequence[str], column: str | int | None, place: str) -> tuple[int, bool]:
    """Return the index of the column, and whether the first row is a header."""
    names = [cell.strip() for cell in header]
    if isinstance(column, str) and column in names:
        if names.count(column) > 1:
            raise InvalidInputError(
                f"{place}: {names.count(column)} columns are named {column!r}; give its place from 0"
            )
        return names.index(column), True
    if isinstance(column, str) and not (column.isascii() and column.isdigit()):
        raise InvalidInputError(f"{place}: no column {column!r}; there are {', '.join(map(repr, names))}")
    if column is None:
        if len(names) > 1:
            raise InvalidInputError(
                f"{place}: {len(names)} columns, {', '.join(map(repr, names))}; say which with column="
            )
        index = 0
    else:
        index = int(column)
    if not 0 <= index < len(names):
        raise InvalidInputError(f"{place}: no column {index}; there are {len(names)}, counted from 0")
    has_header = not _looks_like_data(names[index])
    if not names[index]:
        has_header = any(name and not _looks_like_data(name) for name in names)
    return index, has_header


def _cells(cells: Sequence[str], lines: Sequence[int], most: int, name: str) -> Numbers:
    numbers = _fast(cells, most)
    return _careful(cells, most, lambda index: f"{name}, line {lines[index]}") if numbers is None else numbers
