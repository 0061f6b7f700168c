"""What a process loads before it does what it was asked for: a token, a command, an assessment."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.shell_completion import ShellComplete

from esoteric_drbg.cli.lazy_commands import LazyCommands
from esoteric_drbg.cli.main import cli
from esoteric_drbg.kernels import kernel_info

#: What costs milliseconds and no token needs; the reference kernels hash by way of hashlib.
NOT_FOR_TOKENS = {
    "attr",
    "attrs",
    "base64",
    "concurrent.futures",
    "dataclasses",
    "importlib.metadata",
    "inspect",
    "json",
    "logging",
    "numpy",
    "pathlib",
    "platform",
    "rich",
    "click",
    "scipy",
    "cryptography",
    "tempfile",
} | ({"hashlib", "hmac"} if kernel_info().name == "rust" else set())

#: What no assessment by the non-IID track needs.
NOT_FOR_ESTIMATES = {
    "attr",
    "attrs",
    "concurrent.futures",
    "distributed",
    "importlib.metadata",
    "jinja2",
    "jsonschema",
    "logging",
    "matplotlib",
    "msgspec",
    "multiprocessing",
    "rich.progress",
    "scipy",
    "zipfile",
    "esoteric_drbg.cli.assess.iid",
    "esoteric_drbg.cli.assess.restart",
    "esoteric_drbg.cli.audit.command",
    "esoteric_drbg.cli.conformance",
    "esoteric_drbg.cli.esv",
    "esoteric_drbg.cli.record",
    "esoteric_drbg.cli.report",
    "esoteric_drbg.conformance.audit.claim_audit",
    "esoteric_drbg.conformance.document_files",
    "esoteric_drbg.conformance.execution.batch",
    "esoteric_drbg.conformance.iid.assessment",
    "esoteric_drbg.conformance.restart.assessment",
    "esoteric_drbg.rbg.rbg2",
    "esoteric_drbg.noise_sources",
    "esoteric_drbg.seeding.pool",
}


def loaded(code: str, **environment: str) -> set[str]:
    """Run the code in a fresh process and return which modules it loaded."""
    code = f"import sys\ntry:\n    {code}\nfinally:\n    sys.stderr.write('\\n'.join(['', *sys.modules]))\n"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, **environment}, check=False
    )
    assert done.returncode == 0, done.stderr
    return set(done.stderr.split())


def by_command(*arguments: str) -> set[str]:
    return loaded(f"sys.argv[1:] = {arguments!r}; from esoteric_drbg.cli.main import main; main()")


def test_a_token_loads_little() -> None:
    # "before" is what this interpreter loads by itself, hooks of a development environment included.
    before = loaded("pass")
    nowhere = {"ESOTERIC_DRBG_MACHINE_PROFILE": "/nowhere/machine.json"}  # reading one takes json
    first = loaded("import esoteric_drbg; esoteric_drbg.token_bytes(32)", **nowhere)
    if kernel_info().name == "reference" and "esoteric_drbg.seeding.gate" in first:
        pytest.skip("no evidence fits this machine, and the gate of the reference kernels counts with numpy")
    assert not (first - before) & NOT_FOR_TOKENS
    assert "esoteric_drbg.noise_sources.timing.memory_timing" in first


def test_the_import_alone_loads_neither_instance_nor_kernels() -> None:
    ours = {name for name in loaded("import esoteric_drbg") if name.startswith("esoteric_drbg")}
    assert ours == {
        f"esoteric_drbg{part}" for part in ("", ".lazy", ".moved", ".process", ".process.forks", ".version")
    }
    ours = loaded("import esoteric_drbg; esoteric_drbg.health_tests.rct_cutoff(1, 2**-30)")
    assert "esoteric_drbg.health_tests" in ours
    assert "esoteric_drbg.rbg.rbg2" not in ours


#: A part of the package that takes half a second to load, and a thread that asks for a token for the first time.
SLOW_LOAD = """
import importlib.abc, os, signal, sys, threading, time
import esoteric_drbg
class Slow(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == "esoteric_drbg.seeding.pool":
            began.set()
            time.sleep(0.5)
began = threading.Event()
sys.meta_path.insert(0, Slow())
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="os.fork is missing")
def test_a_fork_waits_until_a_public_name_is_loaded() -> None:
    code = SLOW_LOAD + (
        "thread = threading.Thread(target=lambda: esoteric_drbg.token_bytes(8))\n"
        "thread.start(); began.wait()\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    signal.alarm(60)\n"
        "    esoteric_drbg.token_bytes(8)\n"
        "    esoteric_drbg.RandomFile(limit=8).read()\n"
        "    os._exit(7)\n"
        "thread.join()\n"
        "assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7\n"
        "print(len(esoteric_drbg.token_bytes(8)))\n"
    )
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "8\n"), done.stderr


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="signal.setitimer is missing")
def test_a_signal_handler_in_the_middle_of_loading_is_told_so() -> None:
    code = SLOW_LOAD + (
        "said = []\n"
        "def handler(*_):\n"
        "    try: esoteric_drbg.token_bytes(8)\n"
        "    except esoteric_drbg.DRBGStateError as error: said.append(str(error))\n"
        "signal.signal(signal.SIGALRM, handler)\n"
        "signal.setitimer(signal.ITIMER_REAL, 0.25)\n"
        "assert len(esoteric_drbg.token_bytes(8)) == 8\n"
        "print(said)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "this very thread is loading token_bytes: a signal handler asks again later" in done.stdout


def test_threads_that_ask_first_at_the_same_time() -> None:
    code = (
        "import threading, esoteric_drbg\n"
        "start, seen = threading.Barrier(16), []\n"
        "def draw(): start.wait(); seen.append(esoteric_drbg.token_bytes(16))\n"
        "threads = [threading.Thread(target=draw) for _ in range(16)]\n"
        "for thread in threads: thread.start()\n"
        "for thread in threads: thread.join()\n"
        "print(len(set(seen)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "16\n"), done.stderr


def test_the_rest_of_the_face_loads_when_it_is_asked_for() -> None:
    before = loaded("pass")
    code = "import esoteric_drbg as face; assert face.compare_digest(b'a', b'a'); assert face.token_urlsafe(3)"
    assert (loaded(code) - before) >= {"hmac", "base64"}
    code = "from esoteric_drbg import *; assert compare_digest('a', 'a') and SP800_90A != SP800_90C and RBGCInstance"
    assert "numpy" not in loaded(code)


@pytest.mark.parametrize("option", ["--json", "--csv", "-v"])
def test_an_assessment_loads_no_other_command(option: str, tmp_path: Path) -> None:
    file = tmp_path / "data.bin"
    file.write_bytes(bytes(value * value % 251 for value in range(5000)))
    before = loaded("pass")
    tables = loaded("import rich.console, rich.table")  # old releases of rich load attrs and logging themselves
    ours = by_command("assess", "non-iid", option, str(file), "8") - before - (tables if option != "--json" else set())
    assert not ours & NOT_FOR_ESTIMATES
    assert "esoteric_drbg.conformance.entropy.non_iid" in ours
    assert (option != "--json") == ("esoteric_drbg.cli.assess.text" in ours)


def test_a_command_loads_itself_alone() -> None:
    ours = by_command("selftest", "--json")
    commands = {name for name in ours if name.startswith("esoteric_drbg.cli.")}
    assert "esoteric_drbg.cli.selftest" in commands
    assert not commands & {f"esoteric_drbg.cli.{name}" for name in ("assess", "audit", "esv", "info", "sources")}
    assert "numpy" not in ours
    assert "rich" not in ours


def test_blas_starts_no_threads_unless_the_user_says_so() -> None:
    said = {name: value for name, value in os.environ.items() if name != "OPENBLAS_NUM_THREADS"}
    for given, expected in (({}, "1"), ({"OPENBLAS_NUM_THREADS": "3"}, "3")):
        code = (
            "import os, sys; sys.argv[1:] = ['info', '--json']; from esoteric_drbg.cli.main import main; main()\n"
            f"assert os.environ['OPENBLAS_NUM_THREADS'] == {expected!r}"
        )
        subprocess.run([sys.executable, "-c", code], env={**said, **given}, check=True, capture_output=True)


def groups() -> list[tuple[str, click.Group]]:
    found = [("", cli)]
    for name, command in cli.commands.items():
        if isinstance(command, click.Group):
            found.append((name, command))
    return found


@pytest.mark.parametrize(("name", "group"), groups())
def test_every_group_lists_its_commands_as_if_they_were_loaded(name: str, group: click.Group) -> None:
    arguments = [name, "--help"] if name else ["--help"]
    done = subprocess.run(
        [sys.executable, "-m", "esoteric_drbg", *arguments], capture_output=True, text=True, check=True
    )
    listed = done.stdout.partition("\nCommands:\n")[2].splitlines()
    lines = {line.split()[0]: line.split()[1:] for line in listed if line.startswith("  ") and line[2] != " "}
    assert list(lines) == sorted(group.commands)
    for word, command in group.commands.items():
        assert command.name == word
        assert command.help
        assert lines[word][:2] == command.help.split()[:2]


def test_shells_complete_commands_and_their_options() -> None:
    complete = ShellComplete(cli, {}, "esoteric-drbg", "_COMPLETE").get_completions
    assert [item.value for item in complete([], "s")] == ["scan", "self-assess", "selftest", "stream"]
    assert [item.value for item in complete(["assess"], "")] == sorted(cli.commands["assess"].commands)  # type: ignore[attr-defined]
    assert "--quick" in [item.value for item in complete(["assess", "non-iid"], "--q")]


def test_commands_are_a_mapping_that_loads_what_is_taken() -> None:
    commands = LazyCommands({"info": "info:info", "missing": "info:no_such_command"})
    assert list(commands) == ["info", "missing"]
    assert commands["info"] is cli.commands["info"]
    with pytest.raises(AttributeError, match="no_such_command"):
        _ = commands["missing"]
    with pytest.raises(KeyError):
        _ = commands["unknown"]
    assert "unknown" not in commands
    commands["own"] = click.Command("own")
    assert commands["own"].name == "own"
    del commands["missing"], commands["info"]
    assert list(commands) == ["own"]
    assert len(commands) == 1
