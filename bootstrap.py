#!/usr/bin/env python3
"""Set everything up from a bare clone, then run the main job or the tests. Needs Python 3.11 and nothing else.

    python3 bootstrap.py run     make .venv, install, test this machine's noise sources, print random bytes
    python3 bootstrap.py test    make .venv, install with the test tools, run the test suite

A Rust toolchain is used where there is one (ESOTERIC_DRBG_RUST=auto|require|off decides otherwise); without it the
Python reference kernels run, and every report says so. Further arguments go to the command that is run.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = Path(os.environ.get("ESOTERIC_DRBG_VENV", ROOT / ".venv"))
#: Tests on as many processes as there are cores; `test -n 0` runs them in one.
WORKERS = ("-n", "auto", "--dist", "worksteal")
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")


def say(text: str) -> None:
    print(f"== {text}", file=sys.stderr, flush=True)


def make_venv() -> None:
    """Make the virtual environment: PEP 668 systems allow nothing else."""
    if (BIN / "python").exists() or (BIN / "python.exe").exists():
        return
    say(f"making {VENV}")
    try:
        venv.create(VENV, with_pip=True, symlinks=os.name != "nt")
    except (subprocess.CalledProcessError, OSError, SystemExit):
        # Debian's python3 has no ensurepip unless python3-venv is installed; another pip can fill the environment.
        shutil.rmtree(VENV, ignore_errors=True)
        venv.create(VENV, with_pip=False, symlinks=os.name != "nt")
        pip = [sys.executable, "-m", "pip", "--python", str(BIN / "python"), "install", "--quiet", "pip"]
        if subprocess.run(pip, check=False).returncode:
            shutil.rmtree(VENV, ignore_errors=True)
            sys.exit("this Python has neither ensurepip nor pip: install its venv module (Debian: python3-venv)")


def install(extra: str) -> None:
    """Install this checkout into the virtual environment, with or without the Rust kernels."""
    cargo = shutil.which("cargo")
    mode = os.environ.get("ESOTERIC_DRBG_RUST", "auto")
    say("installing" + ("" if cargo and mode != "off" else " without the Rust kernels (the Python reference runs)"))
    # setuptools keeps modules of earlier builds in build/, where a removed one would live on.
    for stale in (ROOT / "build").glob("*lib*"):
        shutil.rmtree(stale, ignore_errors=True)
    target = f"{ROOT}[{extra}]" if extra else str(ROOT)
    command = [str(BIN / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", target]
    if subprocess.run(command, check=False).returncode:
        sys.exit("the installation failed; pip's message is above")


def main() -> None:
    if sys.version_info < (3, 11):  # noqa: UP036 - the one file that older interpreters can meet
        sys.exit(f"Python 3.11 or newer is needed; this is {sys.version.split()[0]}")
    commands = {
        "run": ("lab", [str(BIN / "esoteric-drbg"), "pool"]),
        "test": ("test", [str(BIN / "python"), "-m", "pytest", *WORKERS]),
    }
    if len(sys.argv) < 2 or sys.argv[1] not in commands:
        sys.exit(__doc__)
    extra, command = commands[sys.argv[1]]
    make_venv()
    install(extra)
    say(" ".join(command[-2:] + sys.argv[2:]))
    sys.exit(subprocess.run(command + sys.argv[2:], cwd=ROOT, check=False).returncode)


if __name__ == "__main__":
    main()
