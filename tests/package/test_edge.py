"""The public edge: names that stay, old paths that work for one release, and an import that does nothing else."""

from __future__ import annotations

import importlib
import subprocess
import sys
import warnings

import pytest

import esoteric_drbg
from esoteric_drbg import moved

OLD = sorted(moved.moved_modules().items())
MODULES = ("aio", "conditioning", "conformance", "errors", "health_tests", "noise_sources")
PUBLIC = ("esoteric_drbg", *(f"esoteric_drbg.{name}" for name in MODULES))


def python(code: str, *arguments: str) -> str:
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(("old", "new"), OLD)
def test_an_old_path_is_the_new_module_with_a_warning(old: str, new: str) -> None:
    sys.modules.pop(old, None)
    with pytest.warns(DeprecationWarning, match=f"{old} is {new} now") as found:
        module = importlib.import_module(old)
    assert module is importlib.import_module(new)
    assert module.__spec__ is not None
    assert (module.__name__, module.__spec__.name) == (new, new)
    assert found[0].filename.endswith(("importlib/__init__.py", "test_edge.py"))


def test_every_way_to_import_an_old_path() -> None:
    code = (
        "import warnings; warnings.simplefilter('ignore')\n"
        "import esoteric_drbg.pool, esoteric_drbg\n"
        "from esoteric_drbg import machine_profile, chain\n"
        "from esoteric_drbg.ctr_drbg import CtrDRBG\n"
        "from esoteric_drbg.conformance import sample_files\n"
        "from esoteric_drbg.conformance.samples import SampleSet\n"
        "from esoteric_drbg.conformance.recording import machine_facts, record, record_restarts\n"
        "from esoteric_drbg.conformance.audit import audit_source\n"
        "assert esoteric_drbg.pool.EntropyPool is esoteric_drbg.EntropyPool\n"
        "assert chain.RBGCInstance is esoteric_drbg.RBGCInstance\n"
        "import importlib; importlib.reload(machine_profile)\n"
    )
    python(code)


def test_the_warning_names_the_line_that_imports(tmp_path: object) -> None:
    code = (
        "import warnings\n"
        "with warnings.catch_warnings(record=True) as found:\n"
        "    warnings.simplefilter('always')\n"
        "    from esoteric_drbg.pool import EntropyPool\n"
        "print(*((one.filename, one.lineno) for one in found))\n"
    )
    assert python(code) == "('<string>', 4)\n"


@pytest.mark.parametrize("name", PUBLIC)
def test_public_names_are_there(name: str) -> None:
    module = importlib.import_module(name)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert all(hasattr(module, public) for public in module.__all__)
    assert set(module.__all__) <= set(dir(module))


def test_the_root_resolves_public_names_and_nothing_else() -> None:
    code = (
        "import esoteric_drbg\n"
        "for name in ('adapters', 'rbg', 'seeding', 'cli', 'kernels', 'pool', 'no_such_name', 'mechanisms'):\n"
        "    assert not hasattr(esoteric_drbg, name), name\n"
        "assert esoteric_drbg.health_tests.rct_cutoff(1, 2**-30) == 31\n"
        "assert esoteric_drbg.conditioning.hash_df(b'a', 8) and esoteric_drbg.aio.token_bytes\n"
        "assert esoteric_drbg.errors.EsotericDRBGError is esoteric_drbg.EsotericDRBGError\n"
    )
    python(code)
    with pytest.raises(AttributeError, match="module 'esoteric_drbg' has no attribute 'nothing'"):
        esoteric_drbg.nothing  # noqa: B018


@pytest.mark.parametrize("argv", ["esoteric-drbg", "-m"])
def test_no_import_sets_a_signal_handler_or_looks_at_the_arguments(argv: str) -> None:
    code = (
        "import pkgutil, importlib, signal, sys\n"
        "class Arguments(list):\n"
        "    def __getitem__(self, item): raise AssertionError('an import looks at sys.argv')\n"
        "    __iter__ = __len__ = __getitem__\n"
        f"sys.argv = Arguments([{argv!r}, 'esoteric_drbg'])\n"
        "before = [signal.getsignal(number) for number in signal.valid_signals()]\n"
        "hooks = sys.excepthook, sys.unraisablehook\n"
        "import esoteric_drbg\n"
        "names = 'process.interrupts cli.interrupts rbg.rbg2 adapters.secrets_api seeding.pool noise_sources'\n"
        "for name in names.split():\n"
        "    importlib.import_module('esoteric_drbg.' + name)\n"
        "assert before == [signal.getsignal(number) for number in signal.valid_signals()]\n"
        "assert hooks == (sys.excepthook, sys.unraisablehook)\n"
    )
    python(code)
