"""A package that an extra brings is missing: one error with the pip line, before anything is opened or written."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from places import ROOT

from esoteric_drbg import errors
from esoteric_drbg.extras import EXTRA_OF, install_line, missing, need, or_its_extra

#: Runs code in a process where a package cannot be imported; says which files of a folder were opened or made.
BLOCKED = """
import os, sys
package, folder = {package!r}, {folder!r}
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == package:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Blocked())
for name in [name for name in sys.modules if name.partition(".")[0] == package]:
    del sys.modules[name]
def seen(event, arguments):
    if event in {{"open", "os.mkdir", "os.rename", "socket.connect"}}:
        if event == "socket.connect" or str(arguments[0]).startswith(folder):
            os.write(2, f"touched: {{event}} {{arguments[0]}}\\n".encode())
sys.addaudithook(seen)
"""


def blocked(package: str, folder: Path, code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-c", BLOCKED.format(package=package, folder=str(folder)) + code],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "ESOTERIC_DRBG_MACHINE_PROFILE": "/nowhere/machine.json"},
        cwd=folder,
        timeout=60,
    )


COMMANDS = [
    ("click", "info"),
    ("rich", "pool"),
    ("rich", "audit memory_timing -o made"),
    ("numpy", "assess non-iid data.bin 8"),
    ("numpy", "assess iid data.bin 8"),
    ("numpy", "record memory_timing -o made"),
    ("numpy", "esv bundle made"),
    ("scipy", "audit memory_timing --quick -o made"),
    ("scipy", "audit faults -o made"),
    ("attrs", "assess restart data.bin 8 1.0"),
    ("jinja2", "report . --html -o made.html"),
    ("matplotlib", "report . --html -o made.html"),
    ("matplotlib", "audit independence clock_jitter memory_timing --picture made.svg"),
    ("distributed", "assess iid data.bin 8 --scheduler tcp://127.0.0.1:9"),
    ("distributed", "assess non-iid data.bin 8 --scheduler tcp://127.0.0.1:9"),
]


@pytest.mark.parametrize(("package", "command"), COMMANDS)
def test_a_command_ends_with_the_pip_line_and_has_touched_nothing(package: str, command: str, tmp_path: Path) -> None:
    (tmp_path / "data.bin").write_bytes(bytes(range(256)) * 8)
    code = f"sys.argv[1:] = {command.split()!r}\nfrom esoteric_drbg.__main__ import main\nmain()\n"
    done = blocked(package, tmp_path, code)
    assert done.stderr.splitlines() == [f"Error: {package} is not installed: {install_line(EXTRA_OF[package])}"]
    assert (done.returncode, done.stdout) == (2, "")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data.bin"]


CALLS = [
    ("numpy", "esoteric_drbg.BitGenerator"),
    ("numpy", "import esoteric_drbg.conformance"),
    ("numpy", "from esoteric_drbg import noise_sources; noise_sources.registry.create('memory_timing').collect(9)"),
    ("scipy", "from esoteric_drbg.conformance import audit_source"),
    ("attrs", "from esoteric_drbg.conformance import assess_iid"),
    (
        "distributed",
        "from esoteric_drbg.conformance.execution.cluster import connected; connected('tcp://x:1').__enter__()",
    ),
]


@pytest.mark.parametrize(("package", "call"), CALLS)
def test_a_call_raises_an_error_of_the_family(package: str, call: str, tmp_path: Path) -> None:
    code = (
        f"import esoteric_drbg\ntry:\n    {call}\nexcept esoteric_drbg.MissingExtraError as error:\n"
        "    print(error, error.package, error.extra)\n"
    )
    done = blocked(package, tmp_path, code)
    extra = EXTRA_OF[package]
    assert done.stdout == f"{package} is not installed: {install_line(extra)} {package} {extra}\n", done.stderr
    assert done.stderr == ""


def test_tokens_sources_and_refusals_of_frozen_classes_need_no_extra(tmp_path: Path) -> None:
    code = (
        "import esoteric_drbg\n"
        "from esoteric_drbg.health_tests import HealthProfile\n"
        "try: HealthProfile().startup_samples = 1\n"
        "except AttributeError as error: print(type(error).__name__)\n"
    )
    assert blocked("attrs", tmp_path, code).stdout == "AttributeError\n"


def test_the_table_of_extras_is_that_of_the_project() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    called = {"attr": "attrs", "dns": "dnspython"}
    for package, extra in EXTRA_OF.items():
        names = [line.partition(">=")[0] for line in extras[extra]]
        assert called.get(package, package) in names, package
    said = {called.get(package, package) for package in EXTRA_OF}
    for extra in set(EXTRA_OF.values()):
        for line in extras[extra]:
            name = line.partition(">=")[0]
            assert name in said or name.startswith("esoteric-drbg["), line


def test_what_is_looked_for_is_not_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    assert missing("numpy") == ""
    need("numpy")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert missing("bleak") == 'bleak is not installed: pip install "esoteric-drbg[ble]"'
    with pytest.raises(errors.MissingExtraError) as caught:
        need("scipy", "numpy")
    error = caught.value
    assert (error.package, error.extra, error.name) == ("scipy", "lab", "scipy")
    assert isinstance(error, errors.EsotericDRBGError | ImportError)
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.package, again.extra) == (str(error), "scipy", "lab")
    other = ModuleNotFoundError("No module named 'other'", name="other")
    assert or_its_extra(other) is other
