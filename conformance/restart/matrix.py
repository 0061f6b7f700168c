"""The matrix of restarts, SP 800-90B 3.1.4.1: its two data sets, and the most frequent symbol of every line."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from esoteric_drbg.conformance.samples.files import Source, load_values, taken, to_sample_set
from esoteric_drbg.conformance.samples.sample_set import SampleSet
from esoteric_drbg.errors import InvalidInputError

__all__ = ["STANDARD_SHAPE", "Matrix", "line_maxima", "restart_data_sets"]

#: Rows and columns that 3.1.4.1 requires.
STANDARD_SHAPE = (1000, 1000)
#: Samples that are counted at a time.
BLOCK_SYMBOLS = 1 << 18

Matrix = NDArray[np.uint8]


def restart_data_sets(
    matrix: Source,
    *,
    bits: int | None = None,
    rows: int | None = None,
    columns: int | None = None,
    format: str = "auto",  # noqa: A002 - as in read_samples
    reduction: str | None = None,
) -> tuple[SampleSet, SampleSet, tuple[int, int]]:
    """Return the row data set, the column data set, and the shape: number of restarts, and of samples of each.

    Arguments are those of :func:`esoteric_drbg.conformance.restart.assessment.assess_restart`.

    Raises
    ------
    InvalidInputError
        If the matrix cannot be read or has another size.

    Examples
    --------
    >>> from esoteric_drbg.conformance.restart.matrix import restart_data_sets
    >>> by_rows, by_columns, shape = restart_data_sets(b"\\0\\1\\2\\3\\4\\5", rows=2, columns=3)
    >>> by_columns.symbols.tolist()
    [0, 3, 1, 4, 2, 5]
    """
    name, values = load_values(matrix, bits, format=format)
    found = (values.shape[0], values.shape[1]) if values.ndim == 2 else STANDARD_SHAPE
    shape = (found[0] if rows is None else rows, found[1] if columns is None else columns)
    if min(shape) < 1:
        raise InvalidInputError(f"rows={rows}, columns={columns}: expected 1 or more of each")
    if values.ndim > 2 or values.size != shape[0] * shape[1] or (values.ndim == 2 and shape != values.shape):
        size = "x".join(map(str, values.shape))
        raise InvalidInputError(f"{name}: {size} symbols are no matrix of {shape[0]} restarts x {shape[1]}")
    by_rows = to_sample_set(taken(matrix, values, name).reshape(-1), name, bits, reduction)
    turned = np.ascontiguousarray(by_rows.symbols.reshape(shape).T).reshape(-1)
    by_columns = SampleSet.from_symbols(turned, by_rows.bits, reduction=by_rows.reduction)
    return by_rows, by_columns, shape


def line_maxima(matrix: Matrix) -> tuple[NDArray[np.int64], Matrix]:
    """Return the most frequent symbol of each row, and the number of its occurrences.

    Parameters
    ----------
    matrix : ndarray of uint8, shape (rows, columns)

    Returns
    -------
    counts : ndarray of int64, shape (rows,)
    symbols : ndarray of uint8, shape (rows,)
        The least one if several are equally frequent.

    Examples
    --------
    >>> import numpy as np
    >>> from esoteric_drbg.conformance.restart.matrix import line_maxima
    >>> counts, symbols = line_maxima(np.array([[5, 1, 5], [2, 9, 7]], dtype=np.uint8))
    >>> counts.tolist(), symbols.tolist()
    ([2, 1], [5, 2])
    """
    rows, columns = matrix.shape
    counts = np.empty(rows, dtype=np.int64)
    symbols = np.empty(rows, dtype=np.uint8)
    step = max(1, BLOCK_SYMBOLS // columns)
    for begin in range(0, rows, step):
        block = matrix[begin : begin + step]
        places = block + 256 * np.arange(len(block))[:, np.newaxis]
        histogram = np.bincount(places.reshape(-1), minlength=256 * len(block)).reshape(len(block), 256)
        symbols[begin : begin + step] = histogram.argmax(axis=1)
        counts[begin : begin + step] = histogram.max(axis=1)
    return counts, symbols
