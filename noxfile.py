"""Each check that CI runs, as one command for a developer: ``nox -s lint types imports docs rust tests reference``."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import nox

ROOT = Path(__file__).resolve().parent
#: Tests on as many processes as there are cores.
WORKERS = ("-n", "auto", "--dist", "worksteal")
nox.options.sessions = ["lint", "types", "imports", "docs", "rust", "tests", "reference"]
nox.options.default_venv_backend = "venv"
nox.options.reuse_existing_virtualenvs = True


def install(session: nox.Session, rust: str, extra: str = "dev") -> None:
    session.run("python", "-c", "import glob, shutil; [shutil.rmtree(p) for p in glob.glob('build/*lib*')]")
    session.env["ESOTERIC_DRBG_RUST"] = os.environ.get("ESOTERIC_DRBG_RUST", rust)
    session.install(f".[{extra}]")


def fingerprint() -> str:
    """Return a hash of all that an installation of links depends on: not of what is in a Python file."""
    found = hashlib.sha256()
    for path in sorted(ROOT.rglob("*")):
        name = path.relative_to(ROOT)
        if name.parts[0] in {".git", ".nox", ".venv", "build", "tests"} or "target" in name.parts:
            continue
        if path.suffix == ".py":
            found.update(str(name).encode())
        if path.suffix in {".rs", ".lock", ".toml", ".pyi"} or str(name) == "setup.py":
            found.update(path.read_bytes())
    return found.hexdigest()


def install_links(session: nox.Session, extra: str = "dev") -> None:
    """Install links to the files of this checkout, again only where Rust, the metadata or the list of files changed."""
    stamp = Path(session.virtualenv.location, "checkout")
    now = fingerprint()
    if stamp.exists() and stamp.read_text() == now:
        return
    session.env["ESOTERIC_DRBG_RUST"] = os.environ.get("ESOTERIC_DRBG_RUST", "auto")
    session.install("--config-settings", "editable_mode=strict", "-e", f".[{extra}]")
    stamp.write_text(now)


@nox.session
def quick(session: nox.Session) -> None:
    """Lint, types and the quick tests, on links to the files: the inner loop, under a minute."""
    install_links(session)
    session.run("ruff", "format", "--check", ".")
    session.run("ruff", "check", ".")
    session.run("mypy", "--strict", "-p", "esoteric_drbg")
    session.run("mypy", "--strict", "tests")
    session.run("python", "-m", "pytest", "-q", "--quick", *WORKERS, *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Run ruff: format and lint."""
    session.install("ruff>=0.9")
    session.run("ruff", "format", "--check", ".")
    session.run("ruff", "check", ".")


@nox.session
def types(session: nox.Session) -> None:
    """Run mypy --strict on the installed package and the tests, and compare the stub with the built module."""
    install(session, "require")
    session.run("mypy", "--strict", "-p", "esoteric_drbg")
    session.run("mypy", "--strict", "tests", "benchmarks")
    session.run("python", "-m", "mypy.stubtest", "esoteric_drbg.kernels._native")


@nox.session
def imports(session: nox.Session) -> None:
    """Check the import rules on the installed package."""
    install(session, "auto")
    session.run("lint-imports", "--config", ".importlinter")


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation, the reference from the docstrings included; a warning is an error."""
    install(session, "auto", "docs")
    session.run("python", "-m", "mkdocs", "build", "--strict")


@nox.session(python=False)
def rust(session: nox.Session) -> None:
    """Run cargo fmt, clippy with warnings denied, and cargo test."""
    manifest = ("--manifest-path", "native/Cargo.toml")
    session.run("cargo", "fmt", *manifest, "--all", "--check", external=True)
    session.run("cargo", "clippy", *manifest, "--all-targets", "--locked", "--", "-D", "warnings", external=True)
    session.run("cargo", "test", *manifest, "--locked", "-p", "esoteric-drbg-core", external=True)
    native = ("-p", "esoteric-drbg-native", "--no-default-features")
    session.run("cargo", "test", *manifest, "--locked", *native, external=True)


@nox.session
def tests(session: nox.Session) -> None:
    """Run the test suite with the Rust kernels."""
    install(session, "require", "test")
    session.run("python", "-m", "pytest", *WORKERS, *session.posargs, env={"ESOTERIC_DRBG_KERNELS": "rust"})


@nox.session
def reference(session: nox.Session) -> None:
    """Run the test suite with the Python reference kernels."""
    install(session, "off", "test")
    session.run("python", "-m", "pytest", *WORKERS, *session.posargs, env={"ESOTERIC_DRBG_KERNELS": "reference"})


@nox.session(python=["3.11", "3.12"])
def floors(session: nox.Session) -> None:
    """Run the test suite on the oldest versions that pyproject.toml allows; newer Pythons have no wheels of them."""
    session.env["ESOTERIC_DRBG_RUST"] = os.environ.get("ESOTERIC_DRBG_RUST", "require")
    session.install(
        "--only-binary", "numpy,scipy,matplotlib", "-c", "constraints/floors.txt", ".[cluster,network,report,test]"
    )
    session.run("python", "-m", "pytest", *WORKERS, *session.posargs, env={"ESOTERIC_DRBG_KERNELS": "rust"})


@nox.session
def guest(session: nox.Session) -> None:
    """Run our sources in a QEMU guest with emulated devices; CONTRIBUTING.md names the Debian packages it needs."""
    install(session, "require", "test,audio,ble,camera")
    session.run("python", "-m", "pytest", "-m", "guest", "tests/noise_sources/test_guest.py", *session.posargs)
