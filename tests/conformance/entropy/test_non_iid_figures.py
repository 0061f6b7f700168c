"""The figures of NIST's tool, on its own eleven samples and on the A data sets. The files are read where they lie."""

from __future__ import annotations

import functools
import json
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from esoteric_drbg.conformance.entropy.non_iid import NonIIDAssessment, assess_non_iid
from esoteric_drbg.conformance.samples.sample_set import SampleSet
from esoteric_drbg.errors import InvalidInputError
from esoteric_drbg.kernels import kernel_info

_FOLDER = os.environ.get("ESOTERIC_DRBG_VECTORS")
if _FOLDER is None:
    pytest.skip("external vectors: ESOTERIC_DRBG_VECTORS names no folder", allow_module_level=True)
_PATH = Path(_FOLDER) / "90b"

_ESTIMATORS = {
    "Most Common Value": "mcv",
    "Collision": "collision",
    "Markov": "markov",
    "Compression": "compression",
    "t-Tuple": "t_tuple",
    "LRS": "lrs",
    "MultiMCW Prediction": "multi_mcw",
    "Lag Prediction": "lag",
    "MultiMMC Prediction": "multi_mmc",
    "LZ78Y Prediction": "lz78y",
}
_QUANTITIES = {
    "Mode count": "mode",
    "p-hat": "p_hat",
    "p_u": "p_u",
    "v": "v",
    "u": "u",
    "t": "t",
    "Sum t_i": "sum_t",
    "X-bar": "x_bar",
    "X-bar'": "x_bar_prime",
    "sigma-hat": "sigma_hat",
    "p": "p",
    "P_0": "p_0",
    "P_1": "p_1",
    "P_{0,0}": "p_00",
    "P_{0,1}": "p_01",
    "P_{1,0}": "p_10",
    "P_{1,1}": "p_11",
    "p-hat_max": "p_hat_max",
    "C": "C",
    "r": "r",
    "N": "N",
    "P_global": "p_global",
    "P_global'": "p_global_prime",
    "P_local": "p_local",
    "min entropy": "min_entropy",
}
_INTEGERS = {"mode", "v", "u", "t", "sum_t", "C", "r", "N"}

Figures = dict[str, dict[str, float]]


def _compare(result: NonIIDAssessment, figures: Figures) -> None:
    """Every figure NIST prints is ours, and what it could not run we did not either."""
    for part, estimates in (("Literal", result.literal), ("Bitstring", result.bitstring)):
        if estimates is None:
            assert not [name for name in figures if name.startswith(part)]
            continue
        for nist_name, name in _ESTIMATORS.items():
            ours: dict[str, Any] = estimates[name].as_dict()
            theirs = figures.get(f"{part} {nist_name}")
            if theirs is None:
                assert ours["min_entropy"] is None, (part, name)
                continue
            if "C" in ours:
                assert (ours["p_local"] is None) == ("P_local" not in theirs), (part, name)
            for nist_quantity, value in theirs.items():
                quantity = _QUANTITIES[nist_quantity]
                if quantity in _INTEGERS:
                    assert ours[quantity] == value, (part, name, quantity)
                else:
                    assert ours[quantity] == pytest.approx(value, rel=1e-10, abs=1e-12), (part, name, quantity)


def _skip_if_slow(samples: int) -> None:
    if kernel_info().name == "reference" and samples > 20_000:
        pytest.skip("reference kernels: minutes; the slow tier shows that they equal the Rust kernels")


@functools.cache
def _runs() -> list[dict[str, Any]]:
    runs: list[dict[str, Any]] = json.loads((_PATH / "expected.json").read_text())
    return [run for run in runs if run["tool"] == "ea_non_iid" and run["complete"]]


@functools.cache
def _dataset(name: str) -> np.ndarray[Any, np.dtype[np.uint8]]:
    with np.load(_PATH / "datasets.npz") as archive:
        array: np.ndarray[Any, np.dtype[np.uint8]] = archive[name]
        return array


@pytest.mark.parametrize("run", _runs(), ids=lambda run: run["run"])
def test_every_run_of_nists_tool(run: dict[str, Any]) -> None:
    options = run["args"].split()
    symbols = _dataset(run["dataset"])
    if "-l" in options:
        index, count = map(int, options[options.index("-l") + 1].split(","))
        symbols = symbols[index * count : (index + 1) * count]
    bits = int(options[-1]) if options[-1].isdigit() else None
    _skip_if_slow(symbols.size)
    result = assess_non_iid(
        SampleSet.from_symbols(symbols, bits),
        conditioned="-c" in options,
        bitstring="truncated" if "-t" in options else "all",
    )
    results = run["results"]
    _compare(
        result,
        {
            name: {key: value for key, value in figures.items() if key != "note"}
            for name, figures in results.items()
            if isinstance(figures, dict) and name != "loaded"
        },
    )
    assert (result.samples, result.alphabet, result.bits) == tuple(
        results["loaded"][key] for key in ("samples", "distinct", "bits")
    )
    assert result.bitstring_bits == results.get("binary_symbols")
    assert result.h_assessed == pytest.approx(results["assessed_min_entropy"], rel=1e-10, abs=1e-12)
    for name, value in (("H_original", result.h_original), ("H_bitstring", result.h_bitstring)):
        assert value == (pytest.approx(results[name], rel=1e-10, abs=1e-12) if name in results else None)


def _selftest(path: Path) -> tuple[Figures, dict[str, float]]:
    figures: Figures = {}
    totals: dict[str, float] = {}
    for line in path.read_text().splitlines():
        if match := re.match(r"((?:Literal|Bitstring) .*) Estimate: (.*) = (.*)", line):
            figures.setdefault(match[1], {})[match[2]] = float(match[3])
        elif match := re.match(r"(H_bitstring|H_original|Assessed min entropy)(?: =|:) (.*)", line):
            totals[match[1]] = float(match[2])
    return figures, totals


@pytest.mark.parametrize("path", sorted((_PATH / "nist-samples").glob("*.res")), ids=lambda path: path.stem)
def test_nists_self_test(path: Path) -> None:
    figures, totals = _selftest(path)
    symbols = np.fromfile(path.with_suffix(".bin"), dtype=np.uint8)
    _skip_if_slow(symbols.size)
    result = assess_non_iid(symbols)
    _compare(result, figures)
    assert totals["Assessed min entropy"] == pytest.approx(result.h_assessed, rel=1e-10)
    assert totals["H_original"] == pytest.approx(result.h_original, rel=1e-10)
    assert totals.get("H_bitstring") == (pytest.approx(result.h_bitstring, rel=1e-10) if result.h_bitstring else None)


def test_symbols_wider_than_the_given_width() -> None:
    with pytest.raises(InvalidInputError, match="bits=2"):
        assess_non_iid(_dataset("A43_geom_w3"), 2)
