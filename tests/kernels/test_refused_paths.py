"""Vector code that this CPU gets wrong is not used, and named."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from esoteric_drbg.cli.info import collect_info, info
from esoteric_drbg.kernels import selection


def test_no_path_is_refused_here() -> None:
    assert selection.refused_paths() == []
    assert collect_info()["refused_paths"] == []


def test_info_names_what_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = ["health::lag_block::count_block avx512", "sha256::sha_ni sha_ni"]
    fake = SimpleNamespace(refused_paths=lambda: wrong)
    monkeypatch.setattr(selection, "native", fake)
    assert collect_info()["refused_paths"] == wrong
    shown = CliRunner().invoke(info, env={"COLUMNS": "200"})
    assert ", ".join(wrong) in shown.output
