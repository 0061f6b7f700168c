"""Fixtures that several test files share."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from quick import QUICK_S, Quick

# A shell's job in the background ignores Ctrl-C, and hands that down to the commands whose Ctrl-C is tested.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--quick", action="store_true", help=f"one case of each test that took {QUICK_S} s or less here")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    from esoteric_drbg.kernels import kernel_info

    if kernel_info().name == "reference":
        for item in items:
            if item.get_closest_marker("slow_reference"):
                item.add_marker(pytest.mark.slow)


def pytest_configure(config: pytest.Config) -> None:
    # Without a cache (-p no:cacheprovider) nothing is known of any test, and nothing kept.
    if hasattr(config, "cache"):
        config.pluginmanager.register(Quick(config))


@pytest.fixture(scope="session", autouse=True)
def _no_profile_of_the_user() -> Iterator[None]:
    """Keep what the user has stored about this machine out of the tests, and what they store out of his folders."""
    folder = tempfile.mkdtemp(prefix="esoteric_drbg_tests_")
    os.environ["ESOTERIC_DRBG_MACHINE_PROFILE"] = f"{folder}/machine.json"
    yield
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def vectors() -> Path:
    """Return the folder of external reference vectors, named by ESOTERIC_DRBG_VECTORS."""
    folder = os.environ.get("ESOTERIC_DRBG_VECTORS")
    if not folder:
        pytest.skip("external vectors: ESOTERIC_DRBG_VECTORS names no folder")
    return Path(folder)


@pytest.fixture(scope="session")
def native() -> ModuleType:
    """Return the Rust kernels, whichever kernels this process runs."""
    module: ModuleType = pytest.importorskip(
        "esoteric_drbg.kernels._native", reason="the Rust kernels are not built", exc_type=ImportError
    )
    return module


@pytest.fixture(params=["reference", "rust"])
def word_stream(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> type:
    """Make ``BitGenerator`` run on one kernel, then on the other; return that kernel's class."""
    from esoteric_drbg.adapters import bit_generator
    from esoteric_drbg.kernels.reference.bit_generator import WordStream

    chosen: type = WordStream
    if request.param == "rust":
        chosen = request.getfixturevalue("native").WordStream
    monkeypatch.setattr(bit_generator, "new_word_stream", chosen)
    return chosen
