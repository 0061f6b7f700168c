"""Transposing a restart matrix file: rows become columns, as the column data set of SP 800-90B 3.1.4 needs them."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np

from esoteric_drbg.atomic_write import replacing
from esoteric_drbg.conformance.samples.array_files import read_words
from esoteric_drbg.conformance.samples.files import open_samples
from esoteric_drbg.errors import InvalidInputError

__all__ = ["transpose_file"]

#: Bytes that are transposed at a time.
BLOCK_BYTES = 1 << 22


def transpose_file(source: Path, target: Path, *, rows: int = 1000, columns: int = 1000) -> str:
    """Write the transpose of a matrix of bytes; `target` appears only when it is complete.

    Parameters
    ----------
    source : Path
        A file of ``rows x columns`` samples, one a byte, row after row.
    target : Path
        Output file of ``columns x rows`` samples. A file of this name is replaced, unless it is the source.
    rows, columns : int
        Shape of the source's matrix.

    Returns
    -------
    str
        SHA-256 of the target, in hexadecimal.

    Raises
    ------
    InvalidInputError
        If the source is not a file of this size or changes while it is read, or the target is the source or cannot be
        written.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from esoteric_drbg.conformance.samples.transpose import transpose_file
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     source, target = Path(folder, "rows.bin"), Path(folder, "columns.bin")
    ...     written = source.write_bytes(b"abcdef")
    ...     digest = transpose_file(source, target, rows=2, columns=3)
    ...     target.read_bytes()
    b'adbecf'
    """
    if rows < 1 or columns < 1:
        raise InvalidInputError(f"rows={rows}, columns={columns}: expected 1 or more of each")
    with open_samples(os.fspath(source)) as file:
        status = os.fstat(file.fileno())
        if status.st_size != rows * columns:
            raise InvalidInputError(f"{source}: {status.st_size} bytes are no matrix of {rows} x {columns}")
        matrix = read_words(file, str(source), np.dtype("u1")).reshape(rows, columns)
    try:
        _refuse_target(target, status)
        return _write(target, matrix, status.st_mode & 0o777)
    except (OSError, ValueError) as error:
        if isinstance(error, InvalidInputError):
            raise
        reason = error.strerror if isinstance(error, OSError) else error
        raise InvalidInputError(f"{target}: cannot be written: {reason}") from None


def _refuse_target(target: Path, source: os.stat_result) -> None:
    if not target.exists():
        return
    if os.path.samestat(target.stat(), source):
        raise InvalidInputError(f"{target}: is the source itself; name another file")
    if not target.is_file():
        raise InvalidInputError(f"{target}: exists and is not a regular file")


def _write(target: Path, matrix: np.ndarray[tuple[int, int], np.dtype[np.uint8]], mode: int) -> str:
    digest = hashlib.sha256()
    with replacing(target, mode=mode) as file:
        step = max(1, BLOCK_BYTES // matrix.shape[0])
        for begin in range(0, matrix.shape[1], step):
            block = np.ascontiguousarray(matrix[:, begin : begin + step].T).data
            digest.update(block)
            file.write(block)
    return digest.hexdigest()
