"""The face: everything the standard library's secrets offers, with the same signatures and errors."""

from __future__ import annotations

import inspect
import math
import pickle
import secrets
import subprocess
import sys
import types
import unittest

import pytest

import esoteric_drbg
from esoteric_drbg import errors


def test_exported_members_are_sorted_complete_and_defined() -> None:
    for name in esoteric_drbg.__all__:  # each is loaded when it is asked for
        assert getattr(esoteric_drbg, name) is not None
    public = {
        name
        for name, value in vars(esoteric_drbg).items()
        if not name.startswith("_") and not isinstance(value, types.ModuleType)
    } | {"__version__"}
    assert set(esoteric_drbg.__all__) == public - {"BitGenerator"}
    assert set(dir(esoteric_drbg)) >= {*esoteric_drbg.__all__, "BitGenerator", "aio"}
    with pytest.raises(AttributeError, match="module 'esoteric_drbg' has no attribute 'no_such_thing'"):
        _ = esoteric_drbg.no_such_thing
    assert len(set(esoteric_drbg.__all__)) == len(esoteric_drbg.__all__)
    assert sorted(esoteric_drbg.__all__, key=_isort_key) == esoteric_drbg.__all__


def _isort_key(name: str) -> tuple[int, str]:
    return (0 if name.isupper() else 1 if name[0].isupper() else 2, name)


def test_everything_that_secrets_exports_is_here() -> None:
    for name in [*secrets.__all__, "DEFAULT_ENTROPY"]:
        theirs, ours = getattr(secrets, name), getattr(esoteric_drbg, name)
        assert type(ours) is type(theirs) or callable(ours)
    for name in ("token_bytes", "token_hex", "token_urlsafe", "randbelow"):
        theirs = inspect.signature(getattr(secrets, name))
        ours = inspect.signature(getattr(esoteric_drbg, name))
        assert [(p.name, p.default) for p in ours.parameters.values()] == [
            (p.name, p.default) for p in theirs.parameters.values()
        ]
        assert getattr(esoteric_drbg, name).__doc__


def test_cpythons_own_test_suite_for_secrets_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    test_secrets = pytest.importorskip("test.test_secrets", reason="this Python ships without its test package")
    monkeypatch.setattr(test_secrets, "secrets", esoteric_drbg)
    suite = unittest.defaultTestLoader.loadTestsFromModule(test_secrets)
    result = unittest.TestResult()
    suite.run(result)
    assert result.testsRun >= 10
    assert result.wasSuccessful(), result.failures + result.errors


@pytest.mark.parametrize("function", ["token_bytes", "token_hex", "token_urlsafe"])
def test_errors_are_those_of_secrets(function: str) -> None:
    for bad in (-1, "1", 1.5, 1 << 80):
        with pytest.raises((ValueError, TypeError, OverflowError)) as theirs:
            getattr(secrets, function)(bad)
        with pytest.raises((ValueError, TypeError, OverflowError)) as ours:
            getattr(esoteric_drbg, function)(bad)
        assert issubclass(ours.type, theirs.type), bad


def test_error_behaviour_of_numbers() -> None:
    for bad in (0, -3):
        with pytest.raises(ValueError, match="positive"):
            esoteric_drbg.randbelow(bad)
    with pytest.raises(ValueError, match="non-negative"):
        esoteric_drbg.randbits(-1)
    with pytest.raises(TypeError):
        esoteric_drbg.randbits("3")  # type: ignore[arg-type]
    with pytest.raises(IndexError):
        esoteric_drbg.choice([])
    assert esoteric_drbg.randbits(0) == 0


def test_ranges() -> None:
    for bits in (1, 7, 8, 9, 64, 1000):
        assert all(esoteric_drbg.randbits(bits) < 1 << bits for _ in range(20))
    assert {esoteric_drbg.randbelow(3) for _ in range(200)} == {0, 1, 2}
    assert esoteric_drbg.randbelow(1) == 0
    big = 1 << 300
    assert 0 <= esoteric_drbg.randbelow(big) < big
    assert {esoteric_drbg.choice("ab") for _ in range(100)} == {"a", "b"}


def test_system_random_is_a_full_random() -> None:
    generator = esoteric_drbg.SystemRandom()
    values = [generator.random() for _ in range(2_000)]
    assert all(0 <= value < 1 for value in values)
    assert any(math.ldexp(value, 53) % 2 for value in values)
    items = list(range(50))
    generator.shuffle(items)
    assert sorted(items) == list(range(50))
    assert len(generator.sample(range(1000), 10)) == 10
    assert len(generator.randbytes(7)) == 7
    assert generator.seed(1) is None  # type: ignore[func-returns-value]
    with pytest.raises(NotImplementedError):
        generator.getstate()
    with pytest.raises(NotImplementedError):
        generator.setstate(())
    with pytest.raises(NotImplementedError):
        pickle.dumps(generator)


def test_the_error_family_has_one_base() -> None:
    for name in errors.__all__:
        assert issubclass(getattr(errors, name), errors.EsotericDRBGError)
        assert getattr(errors, name).__doc__
        assert name in (errors.__doc__ or "")
    assert sorted(errors.__all__) == errors.__all__


def run(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    import os

    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        check=False,
    )


def test_importing_samples_nothing_and_stays_light() -> None:
    code = (
        "import sys, threading, esoteric_drbg\n"
        "assert not esoteric_drbg.process_instance().status()['instantiated']\n"
        "heavy = [name for name in ('numpy', 'scipy', 'rich', 'click', 'cryptography') if name in sys.modules]\n"
        "assert not heavy, heavy\n"
        "esoteric_drbg.token_bytes(32)\n"
        "heavy = [name for name in ('numpy', 'scipy', 'rich', 'click', 'cryptography') if name in sys.modules]\n"
        "assert not heavy, heavy\n"
        "assert threading.active_count() == 1\n"
    )
    done = run(code)
    assert done.returncode == 0, done.stderr


def test_an_impossible_kernel_switch_imports_and_raises_at_the_first_request() -> None:
    code = (
        "import esoteric_drbg\n"
        "try: esoteric_drbg.token_bytes(1)\n"
        "except esoteric_drbg.KernelUnavailableError as error: print(error)\n"
    )
    done = run(code, ESOTERIC_DRBG_KERNELS="sideways")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("ESOTERIC_DRBG_KERNELS='sideways': expected one of auto, rust, reference")
