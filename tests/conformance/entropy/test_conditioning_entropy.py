"""``assess conditioning``: the entropy of a conditioning component's output."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from esoteric_drbg.cli.main import cli
from esoteric_drbg.conformance import conditioning_output_entropy
from esoteric_drbg.errors import InvalidInputError


def test_every_parameter_set_of_the_reference_data(vectors: Path) -> None:
    cases = json.loads((vectors / "90b" / "conditioning.json").read_text())
    assert len(cases) == 36
    for case in cases:
        n_in, n_out, nw = (int(number) for number in case["cmd"].split()[2:5])
        result = conditioning_output_entropy(n_in, n_out, nw, float(case["cmd"].split()[5]))
        exact = case.get("h_out_mpmath", case["values"]["(Vetted) h_out"])  # the tool's alone where n_in is 10^6
        assert result.h_out == pytest.approx(float(exact), rel=1e-12), case["tag"]


def test_a_million_bits_are_no_work() -> None:
    began = time.perf_counter()
    assert conditioning_output_entropy(10**6, 256, 256, 320.0).h_out == 256.0
    assert time.perf_counter() - began < 5


def test_components_that_are_not_vetted_take_the_least_bound() -> None:
    def h_out(h_in: float, h_prime: float) -> tuple[float, str]:
        result = conditioning_output_entropy(1024, 256, 256, h_in, vetted=False, h_prime=h_prime)
        assert not result.full_entropy
        return result.h_out, result.decided_by

    assert h_out(1024.0, 1.0) == (0.999 * 256, "0.999 n_out")
    assert h_out(1024.0, 0.5) == (128.0, "h' x n_out")
    least, why = h_out(100.0, 0.99)
    assert least == pytest.approx(100.0)
    assert why == "Output_Entropy"
    assert conditioning_output_entropy(64, 64, 64, 12.5, bijective=True).h_out == 12.5


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        ((256, 256, 256, 257.0), {}),
        ((0, 256, 256, 0.0), {}),
        ((256, 256, 256, float("nan")), {}),
        ((256, 256, 256, 100.0), {"vetted": False}),
        ((256, 256, 256, 100.0), {"vetted": False, "h_prime": 1.5}),
        ((256, 256, 256, 100.0), {"h_prime": 0.5}),
        ((256, 128, 256, 100.0), {"bijective": True}),
    ],
)
def test_what_makes_no_sense_is_refused(arguments: tuple[int, int, int, float], options: dict[str, float]) -> None:
    with pytest.raises(InvalidInputError):
        conditioning_output_entropy(*arguments, **options)  # type: ignore[arg-type]


def test_the_command() -> None:
    done = CliRunner().invoke(cli, ["assess", "conditioning", "512", "256", "256", "320"])
    assert done.exit_code == 0
    assert "h_out = 256 of 256 bits (vetted)" in done.output
    assert "Full entropy" in done.output
    done = CliRunner().invoke(cli, ["assess", "conditioning", "-n", "512", "256", "256", "300", "0.9", "--json"])
    assert json.loads(done.output)["h_out"] == 230.4
