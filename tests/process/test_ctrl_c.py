"""Ctrl-C: exit code 130, no traceback and no process left, from the first line of its entry point to the last one."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from esoteric_drbg.process.interrupts import InterruptsWait

SCRIPT = Path(sys.executable).with_name("esoteric-drbg")
MODULE = [sys.executable, "-X", "importtime", "-m", "esoteric_drbg"]
#: A pip that is told so installs scripts elsewhere.
STARTS = [MODULE, *([[sys.executable, "-X", "importtime", str(SCRIPT)]] if SCRIPT.exists() else [])]
#: The last module that is loaded before Ctrl-C is the command's own.
ENTRY = b"esoteric_drbg.cli.interrupts"
#: So many imports behind it, the entry point has begun: the script imports its module first.
FIRST = 2
#: Seconds for what takes some milliseconds on a machine that is not busy.
LONG = 60


@pytest.fixture
def large(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / "large.bin", tmp_path / "other.bin"]
    for path in paths:
        np.random.default_rng(8).integers(0, 256, 1_000_000).astype(np.uint8).tofile(path)
    return paths


def test_a_program_that_imports_the_package_keeps_its_signals() -> None:
    code = (
        "import signal, sys, esoteric_drbg\n"
        "assert signal.getsignal(signal.SIGINT) is signal.default_int_handler\n"
        "assert 'esoteric_drbg.cli.interrupts' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code, "esoteric_drbg"], check=True, timeout=LONG)


def _imports(process: subprocess.Popen[bytes]) -> Iterator[bytes]:
    """Give the modules that a process with ``-X importtime`` has imported, as it imports them."""
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith(b"import time:"):
            yield line.rpartition(b"|")[2].strip()


def _moments(start: list[str], folder: Path) -> int:
    """Return how many imports a command makes behind our first line, before it begins to assess."""
    small = folder / "small.bin"
    np.random.default_rng(8).integers(0, 4, 500).astype(np.uint8).tofile(small)
    with subprocess.Popen(
        [*start, *ASSESS, "100", str(small), "--json"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as process:
        names = list(_imports(process))
    return names.index(b"esoteric_drbg.conformance.iid.assessment") - names.index(ENTRY)


def _interrupt_after(start: list[str], path: Path, imports: int) -> None:
    """Interrupt a command that would go on for hours after so many imports behind our first line."""
    process = subprocess.Popen(
        [*start, *ASSESS, "100000000", str(path)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    with process:
        try:
            modules = _imports(process)
            assert ENTRY in modules
            for _ in range(imports):
                next(modules)
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=LONG)
        finally:
            process.kill()
    # A line of -X importtime may have been begun.
    rest = [line for line in err.splitlines() if not line.startswith(b"import time:"[: len(line)])]
    assert (process.returncode, rest) == (130, []), (start, imports)


ASSESS = ("assess", "iid", "--exact-count")


@pytest.mark.parametrize("start", STARTS, ids=["module", "script"][: len(STARTS)])
def test_an_interrupt_between_imports_is_quiet(start: list[str], large: list[Path], tmp_path: Path) -> None:
    last = _moments(start, tmp_path)
    for imports in (FIRST, *random.Random(5).sample(range(FIRST + 1, last), 4)):
        _interrupt_after(start, large[0], imports)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("start", STARTS, ids=["module", "script"][: len(STARTS)])
def test_an_interrupt_between_any_imports_is_quiet(start: list[str], large: list[Path], tmp_path: Path) -> None:
    for imports in range(FIRST, _moments(start, tmp_path), 5):
        _interrupt_after(start, large[0], imports)


def test_an_ignored_interrupt_stays_ignored() -> None:
    command = [
        "sh",
        "-c",
        'trap "" INT; exec "$@"',
        "sh",
        sys.executable,
        "-X",
        "importtime",
        "-m",
        "esoteric_drbg",
        "stream",
        "--bytes",
        "1000",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        for module in _imports(process):
            if module.startswith(b"esoteric_drbg"):
                process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=LONG)
    assert (process.returncode, len(out)) == (0, 1000)


def _run(code: str) -> subprocess.CompletedProcess[str]:
    start = "import os, signal, sys, time\nfrom esoteric_drbg.cli import interrupts\ninterrupts.raise_once()\n"
    return subprocess.run(
        [sys.executable, "-c", start + code], capture_output=True, text=True, timeout=LONG, check=False
    )


def test_an_interrupt_that_python_throws_away_comes_again() -> None:
    done = _run(
        "class Swallows:\n"
        "    def __del__(self):\n"
        "        signal.raise_signal(signal.SIGINT)\n"
        "try:\n"
        "    Swallows()\n"
        "    time.sleep(50)\n"
        "except KeyboardInterrupt:\n"
        "    print('came', interrupts.interrupted())\n"
        "class Fails:\n"
        "    def __del__(self):\n"
        "        raise ValueError('said as ever')\n"
        "Fails()\n"
    )
    assert (done.returncode, done.stdout) == (0, "came True\n"), done.stderr
    assert "KeyboardInterrupt" not in done.stderr
    assert "said as ever" in done.stderr


@pytest.mark.parametrize(("same", "code"), [("1e9", 7), ("-1", 130)])
def test_a_second_interrupt_is_the_same_or_of_somebody_who_will_not_wait(same: str, code: int) -> None:
    done = _run(
        f"interrupts.SAME_S = {same}\n"
        "try:\n"
        "    signal.raise_signal(signal.SIGINT)\n"
        "except KeyboardInterrupt:\n"
        "    signal.raise_signal(signal.SIGINT)\n"
        "    sys.exit(7)\n"
    )
    assert (done.returncode, done.stdout, done.stderr) == (code, "", "")


def test_an_interrupt_of_an_ended_command_changes_nothing() -> None:
    done = _run(
        "class Late:\n"
        "    def __del__(self, kill=os.kill, pid=os.getpid(), number=signal.SIGINT):\n"
        "        kill(pid, number)\n"
        "late = Late()\n"
        "late.itself = late\n"
        "sys.late = late\n"
        "interrupts.exit_at_once()\n"
        "print('whole')\n"
        "sys.exit(1)\n"
    )
    assert (done.returncode, done.stdout, done.stderr) == (1, "whole\n", "")


def test_an_error_of_an_interrupted_import_is_the_interrupt(tmp_path: Path) -> None:
    # What modules in C make of an interrupt while they are loaded: printed, and another error.
    (tmp_path / "breaks.py").write_text(
        "import signal, sys\n"
        "def command():\n"
        "    try:\n"
        "        signal.raise_signal(signal.SIGINT)\n"
        "    except KeyboardInterrupt:\n"
        "        sys.excepthook(*sys.exc_info())\n"
        "        raise ImportError('multiarray failed to import') from None\n"
    )
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "import breaks, esoteric_drbg.cli.main, esoteric_drbg.__main__\n"
        "esoteric_drbg.cli.main.main = breaks.command\n"
        "esoteric_drbg.__main__.main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=LONG, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


def test_interrupts_wait_for_the_end_of_a_block() -> None:
    handler = signal.getsignal(signal.SIGINT)
    passed: list[object] = []
    with pytest.raises(KeyboardInterrupt), InterruptsWait():  # noqa: PT012 - that it is raised at the end is the point
        os.kill(os.getpid(), signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        passed.append(1)
        code = "import signal; print(signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, ()))"
        child = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, timeout=LONG)
        passed.append(child.stdout)
    assert passed == [1, b"True\n"]
    assert signal.getsignal(signal.SIGINT) is handler
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


def test_interrupts_wait_in_a_thread_that_never_hears_of_them() -> None:
    passed = []

    def block() -> None:
        with InterruptsWait():
            passed.append(1)

    thread = threading.Thread(target=block)
    thread.start()
    thread.join()
    assert passed == [1]


def _session(number: int) -> list[int]:
    """Return the processes of a session that live, by /proc/PID/stat."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == number and fields[0] not in "ZX":
            found.append(int(path.parent.name))
    return found


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")
@pytest.mark.parametrize("track", ["non-iid", "iid"])
@pytest.mark.parametrize("to", ["group", "parent"])
def test_workers_that_still_import_are_ended_without_a_word(track: str, to: str, large: list[Path]) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "esoteric_drbg", "assess", track, "--jobs", "2", *map(str, large)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        env={**os.environ, "ESOTERIC_DRBG_KERNELS": "reference"},
    )
    until = time.monotonic() + LONG
    try:
        while len(_session(process.pid)) < 3 and time.monotonic() < until:
            time.sleep(0.005)
        assert process.poll() is None
        (os.killpg if to == "group" else os.kill)(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=LONG)
        assert (process.returncode, out, err) == (130, b"", b"")
        while _session(process.pid) and time.monotonic() < until:
            time.sleep(0.01)
        assert _session(process.pid) == []
    finally:
        for number in _session(process.pid):
            os.kill(number, signal.SIGKILL)
    assert sorted(path.name for path in large[0].parent.iterdir()) == ["large.bin", "other.bin"]
