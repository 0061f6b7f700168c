"""Restart tests, SP 800-90B 3.1.4: the sanity check and the validation of H_I on a matrix of restarts."""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Literal

import attrs
import numpy as np

from esoteric_drbg.conformance.documents import Document
from esoteric_drbg.conformance.entropy.non_iid import literal_min_entropies
from esoteric_drbg.conformance.restart.cutoff import restart_alpha, restart_cutoff
from esoteric_drbg.conformance.restart.matrix import STANDARD_SHAPE, Matrix, line_maxima, restart_data_sets
from esoteric_drbg.conformance.samples.files import Source
from esoteric_drbg.conformance.samples.reduction import Reduction
from esoteric_drbg.conformance.samples.sample_set import SampleSet
from esoteric_drbg.errors import InvalidInputError
from esoteric_drbg.kernels.estimate_bounds import most_common_value
from esoteric_drbg.kernels.memory import OutOfMemoryIsOurs
from esoteric_drbg.progress import Progress, silent
from esoteric_drbg.version import __version__

__all__ = ["FailingLine", "RestartAssessment", "assess_restart"]

Estimate = Callable[[SampleSet], float]


@attrs.frozen(kw_only=True)
class FailingLine:
    """A row or column in which one symbol is too frequent.

    Attributes
    ----------
    line : {"row", "column"}
    index : int
        Number of the row or column, from 0.
    symbol : int
        The most frequent symbol; the least one if several are equally frequent.
    count : int
        Number of its occurrences.
    cutoff : int
        The largest count that passes.
    """

    line: Literal["row", "column"]
    index: int
    symbol: int
    count: int
    cutoff: int


@attrs.frozen(kw_only=True)
class RestartAssessment(Document):
    """Result of :func:`assess_restart`.

    Attributes
    ----------
    rows, columns : int
        Number of restarts, and of samples of each.
    bits, alphabet : int
        Width of a sample in bits, and number of distinct symbols.
    h_initial : float
        H_I, the initial entropy estimate from the sequential data set, in bits per sample.
    iid : bool
        Whether the noise source is claimed to be IID.
    alpha : float
        1 - 0.99^(1/(rows + columns)).
    row_cutoff, column_cutoff : int
        The largest count that passes in a row and in a column; different only if `rows` is not `columns`.
    x_row, x_column : int
        The largest count of a symbol in any row, and in any column.
    failing : tuple of FailingLine
        Rows, then columns, with a count above the cutoff.
    sanity_passed : bool
        Whether no line fails.
    h_row, h_column : float or None
        H_r and H_c, bits per sample; None if the sanity check failed, since nothing was estimated.
    row_is_iid, column_is_iid : bool or None
        Result of `iid_test` for the two data sets; None if it was not run.
    validation_passed : bool
        Whether min(H_r, H_c) is H_I / 2 or more, and `iid_test` rejected neither data set.
    h_assessed : float or None
        min(H_r, H_c, H_I), bits per sample; None if a test failed.
    sha256 : str
        SHA-256 of the samples, one a byte, row after row.
    reduction : Reduction or None
        How wider raw values were reduced to symbols; None if they were not.
    warnings : tuple of str
        What a reader of the result has to know.
    version : str
        Version of this package.
    """

    rows: int
    columns: int
    bits: int
    alphabet: int
    h_initial: float
    iid: bool
    alpha: float
    row_cutoff: int
    column_cutoff: int
    x_row: int
    x_column: int
    failing: tuple[FailingLine, ...]
    sanity_passed: bool
    h_row: float | None
    h_column: float | None
    row_is_iid: bool | None
    column_is_iid: bool | None
    validation_passed: bool
    h_assessed: float | None
    sha256: str
    reduction: Reduction | None
    warnings: tuple[str, ...]
    version: str

    shown_last = ("passed",)

    @property
    def passed(self) -> bool:
        """Whether both the sanity check and the validation passed."""
        return self.sanity_passed and self.validation_passed


@OutOfMemoryIsOurs("an assessment")
def assess_restart(
    matrix: Source,
    h_initial: float,
    *,
    bits: int | None = None,
    rows: int | None = None,
    columns: int | None = None,
    iid: bool = False,
    estimate: Estimate | None = None,
    iid_test: Callable[[SampleSet], bool] | None = None,
    format: str = "auto",  # noqa: A002 - as in read_samples
    reduction: str | None = None,
    threads: int | None = None,
    executor: Executor | None = None,
    progress: Progress | None = None,
) -> RestartAssessment:
    """Run the restart tests on a matrix of restarts.

    Parameters
    ----------
    matrix : bytes, array, str or path
        The samples of the first restart, then those of the second, and so on; see
        :func:`esoteric_drbg.conformance.samples.files.read_samples` for the formats. An array may have two dimensions.
    h_initial : float
        H_I in bits per sample, from 0 to the width of a sample.
    bits : int, optional
        Width of a raw sample; found from the highest bit set if None.
    rows, columns : int, optional
        Number of restarts, and of samples of each. If None, the shape of the array, or else 1000 and 1000.
    iid : bool
        Whether the source is claimed to be IID: H_r and H_c are then the most common value estimates, 6.3.1.
    estimate : callable, optional
        Returns the min-entropy of a data set in bits per sample. If None, the non-IID estimators on the literal data
        are used, or the estimate that `iid` selects.
    iid_test : callable, optional
        With `iid`, returns whether a data set passes the tests of section 5; called for the row and for the column data
        set. Without it, the result warns that these tests are still due.
    format, reduction : str, optional
        As in `read_samples`.
    threads : int, optional
        Number of threads for the non-IID estimators.
    executor : concurrent.futures.Executor, optional
        Estimates the two data sets, at the same time.
    progress : callable, optional
        ``progress(done, total, name)`` after each step; data sets estimated together are one step.

    Returns
    -------
    RestartAssessment

    Raises
    ------
    InvalidInputError
        If the matrix cannot be read or has another size, or `h_initial` is out of range.

    Notes
    -----
    A line fails if a count is *above* the cutoff, see :mod:`esoteric_drbg.conformance.restart.cutoff`. If a line fails,
    nothing is estimated.

    Examples
    --------
    >>> import random
    >>> from esoteric_drbg.conformance.restart.assessment import assess_restart
    >>> good = random.Random(1).randbytes(1_000_000)
    >>> result = assess_restart(good, 7.5, iid=True, iid_test=lambda samples: True)
    >>> result.row_cutoff, result.x_row, result.passed, round(result.h_assessed, 1)
    (22, 16, True, 7.5)
    >>> stuck = good[:5000] + bytes([7]) * 1000 + good[6000:]
    >>> [(line.line, line.index, line.symbol) for line in assess_restart(stuck, 7.5).failing]
    [('row', 5, 7)]
    """
    if iid_test is not None and not iid:
        raise InvalidInputError("iid_test is given, yet iid=False: the tests of section 5 belong to an IID claim")
    by_rows, by_columns, shape = restart_data_sets(
        matrix, bits=bits, rows=rows, columns=columns, format=format, reduction=reduction
    )
    widest = 8 if bits is None else by_rows.bits
    if not 0.0 <= h_initial <= widest:
        raise InvalidInputError(f"h_initial={h_initial}: expected 0 to {widest} bits per sample")
    report = progress or silent
    alpha = restart_alpha(*shape)
    row_cutoff, column_cutoff = (restart_cutoff(float(h_initial), n, alpha) for n in reversed(shape))
    x_row, failing_rows = _check("row", by_rows.symbols.reshape(shape), row_cutoff)
    x_column, failing_columns = _check("column", by_columns.symbols.reshape(shape[::-1]), column_cutoff)
    failing = failing_rows + failing_columns
    report(1, 3, "sanity check")
    warnings = (*by_rows.warnings, *_warnings(shape, by_rows.alphabet, h_initial))
    h_row = h_column = h_assessed = row_is_iid = column_is_iid = None
    if not failing:
        if estimate is None and not iid:
            h_row, h_column = literal_min_entropies((by_rows, by_columns), threads=threads, executor=executor)
            report(3, 3, "row and column data sets")
        else:
            h_row, h_column = _both(estimate or _most_common_value, by_rows, by_columns, executor, report)
        if iid_test is not None:
            row_is_iid, column_is_iid = iid_test(by_rows), iid_test(by_columns)
        elif iid:
            warnings += ("the IID tests of section 5 are still due, on the row and on the column data set (3.1.2)",)
        if min(h_row, h_column) >= h_initial / 2 and False not in {row_is_iid, column_is_iid}:
            h_assessed = min(h_row, h_column, float(h_initial))
    return RestartAssessment(
        rows=shape[0],
        columns=shape[1],
        bits=by_rows.bits,
        alphabet=by_rows.alphabet,
        h_initial=float(h_initial),
        iid=iid,
        alpha=alpha,
        row_cutoff=row_cutoff,
        column_cutoff=column_cutoff,
        x_row=x_row,
        x_column=x_column,
        failing=failing,
        sanity_passed=not failing,
        h_row=h_row,
        h_column=h_column,
        row_is_iid=row_is_iid,
        column_is_iid=column_is_iid,
        validation_passed=h_assessed is not None,
        h_assessed=h_assessed,
        sha256=by_rows.sha256,
        reduction=by_rows.reduction,
        warnings=warnings,
        version=__version__,
    )


def _check(line: Literal["row", "column"], matrix: Matrix, cutoff: int) -> tuple[int, tuple[FailingLine, ...]]:
    """Return the largest count of any line, and the lines above the cutoff."""
    counts, symbols = line_maxima(matrix)
    failing = (
        FailingLine(line=line, index=index, symbol=int(symbols[index]), count=int(counts[index]), cutoff=cutoff)
        for index in np.flatnonzero(counts > cutoff).tolist()
    )
    return int(counts.max()), tuple(failing)


def _warnings(shape: tuple[int, int], alphabet: int, h_initial: float) -> list[str]:
    warnings = []
    if shape != STANDARD_SHAPE:
        warnings.append(f"{shape[0]} restarts of {shape[1]} symbols: 3.1.4.1 asks for 1000 of 1000")
    if h_initial > math.log2(alphabet):
        warnings.append(f"h_initial={h_initial:g} is more than {alphabet} different symbols can have: log2 of it")
    return warnings


def _both(
    estimate: Estimate, by_rows: SampleSet, by_columns: SampleSet, executor: Executor | None, report: Progress
) -> tuple[float, float]:
    """Return H_r and H_c."""
    if executor is None:
        h_row = float(estimate(by_rows))
        report(2, 3, "row data set")
        h_column = float(estimate(by_columns))
    else:
        futures = executor.submit(estimate, by_rows), executor.submit(estimate, by_columns)
        try:
            h_row = float(futures[0].result())
            report(2, 3, "row data set")
            h_column = float(futures[1].result())
        finally:
            futures[1].cancel()
    report(3, 3, "column data set")
    return h_row, h_column


def _most_common_value(samples: SampleSet) -> float:
    """Return the Most Common Value estimate, 6.3.1, used for an IID source."""
    counts, _ = line_maxima(samples.symbols.reshape(1, -1))
    n = samples.symbols.size
    return most_common_value(int(counts[0]), n)
