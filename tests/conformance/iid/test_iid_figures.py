"""The IID figures of NIST's tool on the A data sets. The files are read where they lie; nothing random is compared."""

from __future__ import annotations

import functools
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from esoteric_drbg.conformance import assess_iid
from esoteric_drbg.kernels import kernel_info

_FOLDER = os.environ.get("ESOTERIC_DRBG_VECTORS")
if _FOLDER is None:
    pytest.skip("external vectors: ESOTERIC_DRBG_VECTORS names no folder", allow_module_level=True)
_PATH = Path(_FOLDER) / "90b"

_STATISTICS = (
    "excursion",
    "numDirectionalRuns",
    "lenDirectionalRuns",
    "numIncreasesDecreases",
    "numRunsMedian",
    "lenRunsMedian",
    "avgCollision",
    "maxCollision",
    *(f"periodicity({lag})" for lag in (1, 2, 8, 16, 32)),
    *(f"covariance({lag})" for lag in (1, 2, 8, 16, 32)),
    "compression",
)


@functools.cache
def _runs() -> list[dict[str, Any]]:
    runs: list[dict[str, Any]] = json.loads((_PATH / "expected.json").read_text())
    return [run for run in runs if run["tool"] == "ea_iid" and "Chi square independence" in run["results"]]


def test_all_runs_are_there() -> None:
    assert len(_runs()) == 52
    assert sum(run["complete"] for run in _runs()) == 41


@functools.cache
def _dataset(name: str) -> np.ndarray[Any, np.dtype[np.uint8]]:
    with np.load(_PATH / "datasets.npz") as archive:
        array: np.ndarray[Any, np.dtype[np.uint8]] = archive[name]
        return array


#: Data sets of a million samples that take a second each.
_LONG = {"A04", "A08", "A13", "A24", "A25", "A26", "A28"}


def _slow_where_long(run: dict[str, Any]) -> Any:
    long = run["dataset"][:3] in _LONG and "-l" not in run["args"].split()
    return pytest.param(run, id=run["run"], marks=pytest.mark.slow if long else ())


@pytest.mark.parametrize("run", [_slow_where_long(run) for run in _runs()])
def test_every_figure_that_is_not_random(run: dict[str, Any]) -> None:
    options, expected = run["args"].split(), run["results"]
    symbols = _dataset(run["dataset"])
    if "-l" in options:
        index, count = map(int, options[options.index("-l") + 1].split(","))
        symbols = symbols[index * count : (index + 1) * count]
    if kernel_info().name == "reference" and symbols.size > 20_000:
        pytest.skip("reference kernels: minutes; tests show that they equal the Rust kernels")
    result = assess_iid(symbols, conditioned="-c" in options, permutations=100, seed=1)

    def near(value: float) -> Any:
        return pytest.approx(value, rel=1e-10, abs=1e-12)

    assert result.mean == near(expected["Raw Mean"])
    assert result.median == expected["Median"]
    for ours, name in ((result.independence, "independence"), (result.goodness_of_fit, "goodness of fit")):
        theirs = expected[f"Chi square {name}"]
        if theirs["df"] <= 0:  # the tool says "passed"
            assert ours.passed is None
            assert ours.reason
        else:
            assert ours.degrees_of_freedom == theirs["df"]
            assert ours.statistic == pytest.approx(theirs["T"], rel=1e-10, abs=1e-9)
            assert ours.p_value == pytest.approx(theirs["P-value"], rel=1e-9, abs=1e-12)
    repeat = expected.get("Literal Longest Repeated Substring")
    if repeat is not None:
        assert result.longest_repeated_substring.length == repeat["W"]
        assert result.longest_repeated_substring.collision_probability == near(repeat["P_col"])
        assert result.longest_repeated_substring.p_value == pytest.approx(repeat["Pr(X >= 1)"], rel=1e-8, abs=1e-12)
    values = [statistic.value for statistic in result.statistics]
    if "permutation_unpermuted" in expected:
        theirs = [expected["permutation_unpermuted"][name] for name in _STATISTICS]
        assert values[1:] == [near(value) for value in theirs[1:]]
        # The tool sums the excursion in floating point, symbol by symbol.
        assert values[0] == pytest.approx(theirs[0], rel=1e-8, abs=1e-5)
    if result.passed:
        assert result.h_assessed is not None
        per_symbol = result.h_assessed * (result.bits if result.conditioned else 1)
        assert per_symbol == near(expected["assessed_min_entropy"])
    else:
        assert result.h_assessed is None
