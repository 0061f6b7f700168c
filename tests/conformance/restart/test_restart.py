"""Restart tests: exact cutoffs, verdicts equal to the reference's, and transposition."""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import os
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from places import GOLDEN

from esoteric_drbg import errors
from esoteric_drbg.conformance.restart.assessment import assess_restart
from esoteric_drbg.conformance.restart.cutoff import max_count_cdf, restart_alpha, restart_cutoff, worst_case
from esoteric_drbg.conformance.restart.matrix import line_maxima, restart_data_sets
from esoteric_drbg.conformance.samples.sample_set import SampleSet
from esoteric_drbg.conformance.samples.transpose import transpose_file
from esoteric_drbg.kernels import kernel_info
from esoteric_drbg.noise_sources.quality import most_common_value

FIGURES: dict[str, Any] = json.loads((GOLDEN / "restart_cutoffs.json").read_text())
FRACTION_BITS = 200


def mcv(samples: SampleSet) -> float:
    return most_common_value(samples.symbols.tobytes())


def uniform(seed: int, rows: int, columns: int, symbols: int) -> NDArray[np.uint8]:
    generator = np.random.Generator(np.random.PCG64(seed))
    return np.floor(generator.random((rows, columns)) * symbols).astype(np.uint8)


def times(one: list[int], other: list[int], terms: int) -> list[int]:
    """Product of two polynomials with integer coefficients, by one product of long integers."""
    slot = (max(one).bit_length() + max(other).bit_length()) // 8 + 4
    long_one, long_other = (
        int.from_bytes(b"".join(c.to_bytes(slot, "little") for c in terms), "little") for terms in (one, other)
    )
    length = min(terms, len(one) + len(other) - 1)
    product = (long_one * long_other).to_bytes(slot * (len(one) + len(other)), "little")
    return [int.from_bytes(product[slot * i : slot * (i + 1)], "little") >> FRACTION_BITS for i in range(length)]


def exact_cdf(u: int, n: int, h: float) -> Fraction:
    """P(X <= u) from n! / n^n times the coefficient of x^n in the product of the sums of (n p_i x)^j / j!, j <= u.

    Integers with 200 fractional bits, no floating point: the error is far below 2^-100.
    """
    p = Fraction(2.0**-h)
    cells = math.floor(1 / p)

    def factor(probability: Fraction) -> list[int]:
        mean, factorial = n * probability, 1
        terms: list[int] = []
        for j in range(min(u, n) + 1):
            factorial *= max(1, j)
            terms.append((mean.numerator**j << FRACTION_BITS) // (mean.denominator**j * factorial))
        return terms

    total, power = factor(1 - cells * p), factor(p)
    while cells:
        if cells & 1:
            total = times(total, power, n + 1)
        cells >>= 1
        if cells:
            power = times(power, power, n + 1)
    if len(total) <= n:
        return Fraction(0)
    return Fraction(total[n] * math.factorial(n), n**n << FRACTION_BITS)


def enumerated_cdf(u: int, n: int, h: float) -> Fraction:
    """P(X <= u) by going through all sequences of n symbols."""
    p = Fraction(2.0**-h)
    probabilities = [p] * math.floor(1 / p)
    probabilities.append(1 - sum(probabilities, Fraction(0)))
    return Fraction(
        sum(
            math.prod(probabilities[symbol] for symbol in sequence)
            for sequence in itertools.product(range(len(probabilities)), repeat=n)
            if max(Counter(sequence).values()) <= u
        )
    )


@pytest.mark.parametrize("h", [0.0, 0.3, 1.0, 1.3, 1.6, 2.0])
@pytest.mark.parametrize("n", [1, 2, 5])
def test_the_distribution_by_enumeration(h: float, n: int) -> None:
    for u in range(n + 1):
        by_hand = enumerated_cdf(u, n, h)
        assert abs(exact_cdf(u, n, h) - by_hand) < Fraction(1, 2**100)
        assert max_count_cdf(u, n, h) == pytest.approx(float(by_hand), abs=1e-13)


@given(st.floats(0, 8), st.integers(1, 60), st.data())
@settings(max_examples=60, deadline=None)
def test_the_distribution_in_exact_arithmetic(h: float, n: int, data: st.DataObject) -> None:
    u = data.draw(st.integers(0, n))
    assert max_count_cdf(u, n, h) == pytest.approx(float(exact_cdf(u, n, h)), rel=1e-11, abs=1e-30)


def test_the_distribution_by_simulation() -> None:
    generator = np.random.Generator(np.random.PCG64(20261123))
    n, rounds = 100, 100_000
    for h in (0.5, 2.3, 5.0):
        p, cells, rest = worst_case(h)
        largest = generator.multinomial(n, [p] * cells + [rest], size=rounds).max(axis=1)
        for u in range(int(largest.min()), int(largest.max())):
            expected = max_count_cdf(u, n, h)
            sigma = math.sqrt(expected * (1 - expected) / rounds)
            assert abs(np.count_nonzero(largest <= u) / rounds - expected) < 5 * sigma + 1e-9


@pytest.mark.parametrize("row", FIGURES["rows"], ids=lambda row: f"H{row['H']}-{row['n']}of{row['lines']}")
def test_cutoffs_equal_the_exact_table(row: dict[str, Any]) -> None:
    alpha = -math.expm1(math.log(0.99) / row["lines"])
    assert restart_cutoff(row["H"], row["n"], alpha) == row["cutoff"]


def test_the_table_is_exact() -> None:
    assert len(FIGURES["rows"]) >= 60
    assert {row["n"] for row in FIGURES["rows"]} >= {100, 1000, 2000}
    for row in FIGURES["rows"][::7]:
        alpha = 1 - Fraction(0.99 ** (1 / row["lines"]))
        assert 1 - exact_cdf(row["cutoff"], row["n"], row["H"]) <= alpha
        assert 1 - exact_cdf(row["cutoff"] - 1, row["n"], row["H"]) > alpha


@given(st.floats(0, 8), st.integers(1, 40), st.floats(1e-9, 0.9))
@settings(max_examples=60, deadline=None)
def test_cutoffs_by_their_definition(h: float, n: int, alpha: float) -> None:
    # Large alphas, too: there the bounds leave it open, and the distribution decides.
    cutoff = restart_cutoff(h, n, alpha)
    assert 1 <= cutoff <= n
    slack = Fraction(1, 10**12)
    assert exact_cdf(cutoff, n, h) >= 1 - Fraction(alpha) - slack
    assert cutoff == 1 or exact_cdf(cutoff - 1, n, h) < 1 - Fraction(alpha) + slack


def test_alpha() -> None:
    for lines in (2, 64, 2000, 10**9):
        rows = lines // 3
        assert (1 - restart_alpha(rows, lines - rows)) ** lines == pytest.approx(0.99, abs=1e-7)
        expected = 0.01 / lines * (1 + 0.005 + 0.01**2 / 3)
        assert restart_alpha(rows, lines - rows) == pytest.approx(expected, rel=1e-2 / lines + 1e-5)


def test_bad_cutoff_arguments() -> None:
    for h in (-0.1, 8.1, math.nan, math.inf):
        with pytest.raises(errors.InvalidInputError, match="h="):
            restart_cutoff(h, 1000, 1e-6)
    with pytest.raises(errors.InvalidInputError, match="n=0"):
        restart_cutoff(1.0, 0, 1e-6)
    with pytest.raises(errors.InvalidInputError, match="n=0"):
        max_count_cdf(0, 0, 1.0)
    for alpha in (0.0, 1.0, math.nan):
        with pytest.raises(errors.InvalidInputError, match="alpha"):
            restart_cutoff(1.0, 1000, alpha)


def reference_runs(vectors: Path) -> Iterator[tuple[dict[str, Any], str, float]]:
    for run in json.loads((vectors / "90b" / "restart_expected.json").read_text()):
        if "X_cutoff" in run:
            name, h = run["tag"].split(".", 1)
            yield run, name, float(h.split("H")[1])


def test_verdicts_equal_the_reference(vectors: Path) -> None:
    sets = json.loads((vectors / "90b" / "restart_datasets.json").read_text())
    largest = {entry["name"]: (entry["X_r"], entry["X_c"]) for entry in sets}
    sums = {entry["name"]: entry["sha256"] for entry in sets}
    compared = 0
    with np.load(vectors / "90b" / "restart.npz") as matrices:
        for run, name, h in reference_runs(vectors):
            result = assess_restart(matrices[name], h, estimate=mcv)
            assert (result.x_row, result.x_column) == largest[name]
            assert result.sha256 == sums[name]
            assert result.row_cutoff == result.column_cutoff
            if run["sanity"] is None:  # the reference refuses a constant, and H above log2 k
                continue
            compared += 1
            assert max(result.x_row, result.x_column) == run["X_max"]
            assert abs(result.row_cutoff - run["X_cutoff"]) <= 2
            assert result.sanity_passed is (run["sanity"] == "pass")
            assert (result.h_row is None) is (run["sanity"] == "fail")
    assert compared == 23


def test_named_lines(vectors: Path) -> None:
    with np.load(vectors / "90b" / "restart.npz") as matrices:
        column = assess_restart(matrices["AR3_const_column"], 3.0, estimate=mcv)
        row = assess_restart(matrices["AR5_bad_row"], 3.0, estimate=mcv)
        same = assess_restart(matrices["AR4_identical_rows"], 2.0, estimate=mcv)
    assert [(line.line, line.index, line.symbol, line.count) for line in column.failing] == [("column", 0, 5, 1000)]
    assert [(line.line, line.index, line.symbol, line.count) for line in row.failing] == [("row", 417, 3, 913)]
    assert [line.index for line in same.failing] == list(range(1000))
    assert {line.line for line in same.failing} == {"column"}


def test_a_count_at_the_cutoff_passes_and_one_above_fails() -> None:
    matrix = uniform(5, 1000, 1000, 256)
    cutoff = assess_restart(matrix, 7.0, estimate=mcv).row_cutoff
    for line, index in (("row", 17), ("column", 991)):
        for count in (cutoff, cutoff + 1):
            changed = matrix.copy()
            cells = changed[index] if line == "row" else changed[:, index]
            cells[cells == 200] = 201
            cells[np.flatnonzero(cells != 200)[:count]] = 200
            result = assess_restart(changed, 7.0, estimate=mcv)
            found = [(entry.line, entry.index, entry.symbol, entry.count) for entry in result.failing]
            assert found == ([] if count == cutoff else [(line, index, 200, cutoff + 1)])
            assert result.sanity_passed is (count == cutoff)


def test_validation() -> None:
    matrix = uniform(1, 1000, 1000, 4)
    seen: list[bytes] = []

    def answer(*values: float) -> Any:
        rest = iter(values)

        def estimate(samples: SampleSet) -> float:
            seen.append(samples.symbols.tobytes())
            return next(rest)

        return estimate

    result = assess_restart(matrix, 1.5, estimate=answer(1.2, 0.9))
    assert seen == [matrix.tobytes(), matrix.T.tobytes()]
    assert (result.h_row, result.h_column, result.h_assessed) == (1.2, 0.9, 0.9)
    assert result.passed
    assert assess_restart(matrix, 1.5, estimate=answer(1.8, 1.9)).h_assessed == 1.5
    assert assess_restart(matrix, 1.5, estimate=answer(0.75, 1.9)).h_assessed == 0.75  # H_I / 2 itself passes
    failed = assess_restart(matrix, 1.5, estimate=answer(1.9, 0.7499))
    assert (failed.h_assessed, failed.sanity_passed, failed.validation_passed, failed.passed) == (
        None,
        True,
        False,
        False,
    )
    matrix[:, 0] = 3
    seen.clear()
    stuck = assess_restart(matrix, 1.5, estimate=answer(1.9, 1.9))
    assert not seen
    assert (stuck.h_row, stuck.h_column, stuck.h_assessed, stuck.passed) == (None, None, None, False)


def test_iid() -> None:
    matrix = uniform(2, 1000, 1000, 256)
    checked: list[bytes] = []

    def test(samples: SampleSet) -> bool:
        checked.append(samples.symbols.tobytes())
        return len(checked) != 2

    result = assess_restart(matrix, 7.9, iid=True)
    expected = mcv(SampleSet.from_symbols(matrix.reshape(-1)))
    assert result.h_row == pytest.approx(expected, abs=1e-12)
    assert result.h_row == result.h_column
    assert any("still due" in warning for warning in result.warnings)
    assert result.passed
    not_iid = assess_restart(matrix, 7.9, iid=True, iid_test=test)
    assert checked == [matrix.tobytes(), matrix.T.tobytes()]
    assert (not_iid.row_is_iid, not_iid.column_is_iid, not_iid.passed) == (True, False, False)
    assert not any("still due" in warning for warning in not_iid.warnings)
    with pytest.raises(errors.InvalidInputError, match="iid=False"):
        assess_restart(matrix, 7.9, iid_test=test)
    constant = assess_restart(bytes(1_000_000), 0.0, iid=True)
    assert (constant.row_cutoff, constant.h_row, constant.h_assessed, constant.passed) == (1000, 0.0, 0.0, True)


def test_shapes_and_sources(tmp_path: Path) -> None:
    matrix = uniform(3, 200, 500, 16)
    path = tmp_path / "restart.bin"
    path.write_bytes(matrix.tobytes())
    np.save(tmp_path / "restart.npy", matrix)
    np.save(tmp_path / "turned.npy", np.asfortranarray(matrix))
    results = [
        assess_restart(matrix, 3.0, estimate=mcv),
        assess_restart(path, 3.0, rows=200, columns=500, estimate=mcv),
        assess_restart(matrix.tobytes(), 3.0, rows=200, columns=500, estimate=mcv),
        assess_restart(tmp_path / "restart.npy", 3.0, estimate=mcv),
        assess_restart(tmp_path / "turned.npy", 3.0, estimate=mcv),
    ]
    assert all(result == results[0] for result in results)
    first = results[0]
    assert (first.rows, first.columns, first.bits, first.alphabet) == (200, 500, 4, 16)
    assert (first.row_cutoff, first.column_cutoff) == tuple(
        restart_cutoff(3.0, n, restart_alpha(200, 500)) for n in (500, 200)
    )
    assert first.row_cutoff > first.column_cutoff
    assert any("3.1.4.1 asks for 1000 of 1000" in warning for warning in first.warnings)
    with pytest.raises(errors.InvalidInputError, match="100000 symbols are no matrix of 1000 restarts x 1000"):
        assess_restart(path, 3.0)
    with pytest.raises(errors.InvalidInputError, match="200x500 symbols are no matrix of 500 restarts x 200"):
        assess_restart(matrix, 3.0, rows=500, columns=200)
    with pytest.raises(errors.InvalidInputError, match="rows=0"):
        assess_restart(matrix, 3.0, rows=0)
    with pytest.raises(errors.InvalidInputError, match="no matrix"):
        assess_restart(np.zeros((2, 2, 2), dtype=np.uint8), 0.5)
    with pytest.raises(errors.InvalidInputError, match="No such file"):
        assess_restart(tmp_path / "gone", 3.0)


def test_initial_entropy_out_of_range() -> None:
    matrix = uniform(3, 50, 50, 3)
    for h, bits in ((-0.1, None), (8.5, None), (math.nan, None), (2.5, 2)):
        with pytest.raises(errors.InvalidInputError, match="h_initial="):
            assess_restart(matrix, h, bits=bits, estimate=mcv)
    result = assess_restart(matrix, 1.6, estimate=mcv)
    assert any("log2" in warning for warning in result.warnings)


def test_wide_restarts_are_reduced_once() -> None:
    wide = uniform(4, 60, 70, 16).astype(np.uint32) << 20
    result = assess_restart(wide, 3.0, estimate=mcv)
    assert result.reduction is not None
    assert (result.reduction.raw_bits, result.bits) == (24, 4)
    assert result.sha256 == hashlib.sha256((wide >> 20).astype(np.uint8).tobytes()).hexdigest()
    by_rows, by_columns, shape = restart_data_sets(wide)
    assert shape == (60, 70)
    assert by_columns.symbols.tobytes() == by_rows.symbols.reshape(60, 70).T.tobytes()
    assert by_columns.reduction is by_rows.reduction


def test_executor_and_progress() -> None:
    matrix = uniform(6, 1000, 1000, 2)
    steps: list[tuple[int, int, str]] = []
    alone = assess_restart(matrix, 0.9, estimate=mcv, progress=lambda *step: steps.append(step))
    assert steps == [(1, 3, "sanity check"), (2, 3, "row data set"), (3, 3, "column data set")]
    with ThreadPoolExecutor(2) as executor:
        assert assess_restart(matrix, 0.9, estimate=mcv, executor=executor) == alone


def test_the_record_is_json() -> None:
    matrix = uniform(7, 1000, 1000, 16)
    matrix[4] = 1
    for h in (0.0, 3.0):
        result = assess_restart(matrix, h, estimate=mcv)
        record = json.loads(json.dumps(result.as_dict(), allow_nan=False))
        assert record["passed"] is result.passed
        assert record["h_row"] == result.h_row
        assert record["failing"] == (
            [] if h == 0 else [{"line": "row", "index": 4, "symbol": 1, "count": 1000, "cutoff": result.row_cutoff}]
        )
        assert record["warnings"] == list(result.warnings)


def test_the_sanity_check_is_fast() -> None:
    matrix = uniform(8, 1000, 1000, 256)
    matrix[:, 3] = 9
    seconds = []
    for h in (7.1, 7.2, 7.3):
        began = time.perf_counter()
        assert not assess_restart(matrix, h).sanity_passed
        seconds.append(time.perf_counter() - began)
    assert min(seconds) < 1  # a simulated cutoff takes minutes


@given(st.integers(1, 30), st.integers(1, 30), st.data())
@settings(max_examples=80, deadline=None)
def test_line_maxima_by_counting(rows: int, columns: int, data: st.DataObject) -> None:
    cells = data.draw(st.lists(st.integers(250, 255), min_size=rows * columns, max_size=rows * columns))
    matrix = np.array(cells, dtype=np.uint8).reshape(rows, columns)
    counts, symbols = line_maxima(matrix)
    for row, count, symbol in zip(matrix.tolist(), counts.tolist(), symbols.tolist(), strict=True):
        found = Counter(row)
        assert count == max(found.values())
        assert symbol == min(value for value in found if found[value] == count)


def test_line_maxima_over_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    matrix = uniform(9, 37, 50, 5)
    whole = line_maxima(matrix)
    for block in (1, 50, 101, 500):
        monkeypatch.setattr("esoteric_drbg.conformance.restart.matrix.BLOCK_SYMBOLS", block)
        counts, symbols = line_maxima(matrix)
        assert np.array_equal(counts, whole[0])
        assert np.array_equal(symbols, whole[1])


@given(st.integers(1, 20), st.integers(1, 20), st.integers(0, 2**32))
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_transposing_twice_is_the_identity(tmp_path: Path, rows: int, columns: int, seed: int) -> None:
    matrix = uniform(seed, rows, columns, 256)
    path, turned, back = tmp_path / "a", tmp_path / "b", tmp_path / "c"
    path.write_bytes(matrix.tobytes())
    assert transpose_file(path, turned, rows=rows, columns=columns) == hashlib.sha256(matrix.T.tobytes()).hexdigest()
    assert turned.read_bytes() == matrix.T.tobytes()
    transpose_file(turned, back, rows=columns, columns=rows)
    assert back.read_bytes() == matrix.tobytes()
    assert sorted(os.listdir(tmp_path)) == ["a", "b", "c"]


def test_transposes_equal_the_reference(vectors: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("esoteric_drbg.conformance.samples.transpose.BLOCK_BYTES", 70_000)
    sets = json.loads((vectors / "90b" / "restart_datasets.json").read_text())
    with np.load(vectors / "90b" / "restart.npz") as matrices:
        for entry in sets:
            (tmp_path / "a").write_bytes(matrices[entry["name"]].tobytes())
            assert transpose_file(tmp_path / "a", tmp_path / "b") == entry["transpose_sha256"]
            assert hashlib.sha256((tmp_path / "b").read_bytes()).hexdigest() == entry["transpose_sha256"]


def test_transposition_refusals(tmp_path: Path) -> None:
    path = tmp_path / "a.partial"
    path.write_bytes(b"abcdef")
    with pytest.raises(errors.InvalidInputError, match="6 bytes are no matrix of 1000 x 1000"):
        transpose_file(path, tmp_path / "b")
    with pytest.raises(errors.InvalidInputError, match="expected 1 or more"):
        transpose_file(path, tmp_path / "b", rows=-2, columns=-3)
    (tmp_path / "hard").hardlink_to(path)
    (tmp_path / "soft").symlink_to(path)
    for target in (path, tmp_path / "hard", tmp_path / "soft", tmp_path / "." / "a.partial"):
        with pytest.raises(errors.InvalidInputError, match="is the source itself"):
            transpose_file(path, target, rows=2, columns=3)
    (tmp_path / "folder").mkdir()
    with pytest.raises(errors.InvalidInputError, match="is not a regular file"):
        transpose_file(path, tmp_path / "folder", rows=2, columns=3)
    with pytest.raises(errors.InvalidInputError, match="cannot be written: No such file"):
        transpose_file(path, tmp_path / "gone" / "b", rows=2, columns=3)
    assert path.read_bytes() == b"abcdef"
    before = sorted(os.listdir(tmp_path))
    transpose_file(path, tmp_path / "a", rows=2, columns=3)
    assert path.read_bytes() == b"abcdef"
    assert (tmp_path / "a").read_bytes() == b"adbecf"
    assert sorted(os.listdir(tmp_path)) == sorted([*before, "a"])
    assert (tmp_path / "a").stat().st_mode == path.stat().st_mode


def test_an_interrupted_transposition_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_bytes(b"abcdef")
    (tmp_path / "b").write_bytes(b"old")

    def interrupt(descriptor: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        transpose_file(tmp_path / "a", tmp_path / "b", rows=2, columns=3)
    assert sorted(os.listdir(tmp_path)) == ["a", "b"]
    assert (tmp_path / "b").read_bytes() == b"old"


@pytest.mark.slow
def test_validation_verdicts_equal_the_reference(vectors: Path, native: ModuleType) -> None:
    pytest.importorskip("esoteric_drbg.conformance.entropy.non_iid", reason="the non-IID estimators are not there")
    if kernel_info().name != "rust":
        pytest.skip("a million samples are too many for the reference kernels")
    compared = 0
    with np.load(vectors / "90b" / "restart.npz") as matrices:
        for run, name, h in reference_runs(vectors):
            if run["validation"] is not None:
                compared += 1
                iid = "-i" in run["cmd"].split()
                result = assess_restart(matrices[name], h, iid=iid)
                assert result.validation_passed is (run["validation"] == "pass"), run["tag"]
    assert compared == 18
