"""Private copies: an assessment works on bytes that nobody can change, even if others can write to its input.

Counts, checks and hashes read the data several times. So each assessment copies a buffer or an array once, and all
later steps share this one ``bytes`` object.
"""

from __future__ import annotations

import errno
import io
import mmap
import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from esoteric_drbg.errors import InvalidInputError

__all__ = ["bytes_of", "private_array"]

#: Bytes of a mapped file that are copied at a time: the capacity of a pipe.
PIECE_BYTES = 1 << 16


def private_array(values: NDArray[Any], name: str) -> NDArray[Any]:
    """Return the values of an array as they are now, in memory that nobody else can write.

    Parameters
    ----------
    values : ndarray
        Any array. One that lies in a `bytes` object is private already and not copied.
    name : str
        Name of the array in error messages.

    Raises
    ------
    InvalidInputError
        If the array lies in a mapped file that was truncated.
    MemoryError
        If there is no memory for a copy.

    Examples
    --------
    >>> import numpy as np
    >>> from esoteric_drbg.conformance.samples.private_copies import private_array
    >>> shared = bytearray(b"abc")
    >>> copy = private_array(np.frombuffer(shared, dtype=np.uint8), "shared")
    >>> shared[0] = 0
    >>> bytes(copy)
    b'abc'
    """
    owner = _owner(values)
    if type(owner) is bytes or not values.size or values.dtype.hasobject:
        return values
    if isinstance(owner, mmap.mmap) and os.name == "posix":
        copy = _of_mapped_file(values, name)
        if copy is not None:
            return copy
    return np.frombuffer(values.tobytes(), dtype=values.dtype).reshape(values.shape)


def bytes_of(values: NDArray[Any]) -> bytes:
    """Return the bytes of an array: the `bytes` object that it lies in if the array is all of it, otherwise a copy.

    Examples
    --------
    >>> import numpy as np
    >>> from esoteric_drbg.conformance.samples.private_copies import bytes_of
    >>> data = b"abc"
    >>> bytes_of(np.frombuffer(data, dtype=np.uint8)) is data
    True
    """
    owner = _owner(values)
    if type(owner) is bytes and len(owner) == values.nbytes and values.flags.c_contiguous:
        return owner
    return values.tobytes()


def _owner(values: Any) -> Any:
    """Return the object that owns an array's memory."""
    owner = values
    while isinstance(owner, (np.ndarray, memoryview)):
        inner = owner.base if isinstance(owner, np.ndarray) else owner.obj
        if inner is None:
            break
        owner = inner
    return owner


def _of_mapped_file(values: NDArray[Any], name: str) -> NDArray[Any] | None:
    """Copy an array that lies in a mapped file; return None if its position in the mapping is not known.

    If the file was truncated, reading the mapping ends the process. A system call that reads it only fails.
    """
    root = values
    while isinstance(root.base, np.ndarray):
        root = root.base
    if not (root.flags.c_contiguous or root.flags.f_contiguous):
        return None
    octets = root.reshape(-1, order="C" if root.flags.c_contiguous else "F").view(np.uint8)
    # Offsets of its first and last bytes from its first value: strides may be negative.
    reaches = [(length - 1) * stride for length, stride in zip(values.shape, values.strides, strict=True)]
    before = -sum(min(0, reach) for reach in reaches)
    after = sum(max(0, reach) for reach in reaches) + values.itemsize
    first = values.__array_interface__["data"][0] - octets.__array_interface__["data"][0]
    copy = _through_the_system(octets.data[first - before : first + after], name)
    return np.ndarray(values.shape, values.dtype, copy, before, values.strides)


def _through_the_system(octets: memoryview, name: str) -> bytes:
    copy = io.BytesIO()
    reader, writer = os.pipe()
    try:
        os.set_blocking(writer, False)
        while copy.tell() < len(octets):
            done = copy.tell()
            copy.write(os.read(reader, os.write(writer, octets[done : done + PIECE_BYTES])))
    except OSError as error:
        if error.errno != errno.EFAULT:
            raise
        raise InvalidInputError(f"{name}: the file became shorter while it was read; assess a copy of it") from None
    finally:
        os.close(reader)
        os.close(writer)
    return copy.getvalue()
