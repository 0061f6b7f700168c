"""Each check that CI runs, as one command for a developer: ``nox -s lint types imports docs rust tests reference``."""

from __future__ import annotations

import os

import nox

nox.options.sessions = ["lint", "types", "imports", "docs", "rust", "tests", "reference"]
nox.options.default_venv_backend = "venv"
nox.options.reuse_existing_virtualenvs = True


def install(session: nox.Session, rust: str, extra: str = "dev") -> None:
    session.run("python", "-c", "import glob, shutil; [shutil.rmtree(p) for p in glob.glob('build/*lib*')]")
    session.env["ESOTERIC_DRBG_RUST"] = os.environ.get("ESOTERIC_DRBG_RUST", rust)
    session.install(f".[{extra}]")


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
    session.run("pytest", *session.posargs, env={"ESOTERIC_DRBG_KERNELS": "rust"})


@nox.session
def reference(session: nox.Session) -> None:
    """Run the test suite with the Python reference kernels."""
    install(session, "off", "test")
    session.run("pytest", *session.posargs, env={"ESOTERIC_DRBG_KERNELS": "reference"})


@nox.session
def guest(session: nox.Session) -> None:
    """Run our sources in a QEMU guest with emulated devices; CONTRIBUTING.md names the Debian packages it needs."""
    install(session, "require", "test,audio,ble,camera")
    session.run("pytest", "-m", "guest", "tests/noise_sources/test_guest.py", *session.posargs)
