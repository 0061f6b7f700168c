"""Arrays of words in files: raw, npy and npz. Sizes are checked before reading; nothing is unpickled."""

from __future__ import annotations

import math
import os
from typing import Any, BinaryIO

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from esoteric_drbg.errors import InvalidInputError

__all__ = ["read_npy", "read_npz", "read_words"]


def read_words(source: BinaryIO | NDArray[np.uint8], name: str, word: np.dtype[Any], offset: int = 0) -> NDArray[Any]:
    """Read words from `offset` to the end of a file or a buffer, without a second copy.

    A file is read, never mapped: otherwise another process could change the data during the assessment, or end this
    process by truncating the file.

    Raises
    ------
    InvalidInputError
        If the bytes are not a whole number of words.
    """
    size = source.nbytes if isinstance(source, np.ndarray) else source.seek(0, os.SEEK_END) - offset
    if size % word.itemsize:
        raise InvalidInputError(
            f"{name}: {size} bytes are no whole number of {word.itemsize}-byte words; "
            f"the last word begins at byte {offset + size - size % word.itemsize}"
        )
    if isinstance(source, np.ndarray):
        return source.view(word)
    source.seek(offset)
    data = source.read(size)
    if len(data) != size:
        raise InvalidInputError(f"{name}: the file became shorter while it was read: {len(data)} of {size} bytes came")
    return np.frombuffer(data, dtype=word)


def read_npy(file: BinaryIO, name: str) -> NDArray[Any]:
    """Read an npy file after checking its header against the file's size.

    Raises
    ------
    InvalidInputError
        If it is not an npy file, is truncated or too long, or holds objects or structures.
    """
    shape, order, dtype = _header(file, name)
    offset = file.tell()
    size = file.seek(0, os.SEEK_END) - offset
    _check_size(size, shape, dtype, name)
    if not size:
        return np.empty(shape, dtype=dtype)
    return read_words(file, name, dtype, offset).reshape(shape, order=order)


def _header(file: BinaryIO, name: str) -> tuple[tuple[int, ...], Any, np.dtype[Any]]:
    try:
        version = npy.read_magic(file)
        # Version 3 is for the names of structures, and those are refused anyway.
        read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, fortran_order, dtype = read(file)
    except Exception as error:
        # A damaged header can fail anywhere in numpy's parser.
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InvalidInputError(f"{name}: no npy array: {reason}") from None
    if dtype.hasobject or dtype.names is not None or dtype.itemsize == 0:
        raise InvalidInputError(f"{name}: type {dtype}: expected whole numbers; objects are never unpickled")
    if any(length < 0 for length in shape):
        raise InvalidInputError(f"{name}: no npy array: shape {shape}")
    return shape, "F" if fortran_order else "C", dtype


def _check_size(size: int, shape: tuple[int, ...], dtype: np.dtype[Any], name: str) -> None:
    expected = math.prod(shape) * dtype.itemsize
    if size != expected:
        state = "cut off" if size < expected else "too long"
        raise InvalidInputError(f"{name}: {state}: {size} bytes of data, shape {shape} of {dtype} has {expected}")


def read_npz(file: BinaryIO, name: str, member: str | int | None = None) -> NDArray[Any]:
    """Read one array of an npz file, by its name; the name may be left out if there is only one.

    Raises
    ------
    InvalidInputError
        If it is not an npz file or has no such array, or if the array is damaged or holds objects or structures.
    """
    import zipfile  # noqa: PLC0415 - other files do not need it
    import zlib  # noqa: PLC0415

    try:
        with zipfile.ZipFile(file) as archive:
            names = [entry.removesuffix(".npy") for entry in archive.namelist() if entry.endswith(".npy")]
            if member is None and len(names) == 1:
                member = names[0]
            if member is None or member not in names:
                asked = "say which with column=" if member is None else f"no array {member!r}"
                raise InvalidInputError(f"{name}: {asked}; there are {', '.join(map(repr, names)) or 'none'}")
            info = archive.getinfo(f"{member}.npy")
            with archive.open(info) as stream:
                where = f"{name}, array {member!r}"
                shape, order, dtype = _header(stream, where)  # type: ignore[arg-type]
                _check_size(info.file_size - stream.tell(), shape, dtype, where)
                data = stream.read()
                _check_size(len(data), shape, dtype, where)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError, ValueError) as error:
        if isinstance(error, InvalidInputError):
            raise
        raise InvalidInputError(f"{name}: no readable npz file: {error}") from None
    return np.frombuffer(data, dtype=dtype).reshape(shape, order=order)
