"""Build hooks that pyproject.toml cannot express: the optional Rust extension and the tag of a wheel without it."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from setuptools import setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_py import build_py
from setuptools_rust import Binding, RustExtension

ROOT = Path(__file__).resolve().parent
#: The folder of ``esoteric_drbg`` itself, and those of the packages in it: a folder is a subject.
TOP, INSIDE = "drbg", ("benchmarks", "cli", "conformance", "health_tests", "kernels", "noise_sources")
MODES = ("auto", "require", "off")


def rust_mode() -> str:
    mode = os.environ.get("ESOTERIC_DRBG_RUST", "auto").strip().lower()
    if mode not in MODES:
        sys.exit(f"ESOTERIC_DRBG_RUST={mode!r}: expected one of {', '.join(MODES)}")
    return mode


def rust_extensions() -> list[RustExtension]:
    mode = rust_mode()
    if mode == "off" or (mode == "auto" and shutil.which("cargo") is None):
        return []
    # A machine without the crate registry gives up in seconds instead of minutes.
    os.environ.setdefault("CARGO_NET_RETRY", "1")
    os.environ.setdefault("CARGO_HTTP_TIMEOUT", "10")
    return [
        RustExtension(
            "esoteric_drbg.kernels._native",
            path="native/python/Cargo.toml",
            binding=Binding.PyO3,
            py_limited_api=True,
            debug=False,
            args=["--locked"],
            optional=mode == "auto",
        )
    ]


class BuildPy(build_py):
    """Leaves out an extension that an editable install left beside the sources: only links may name it."""

    def find_data_files(self, package: str, src_dir: str) -> list[str]:
        found: list[str] = super().find_data_files(package, src_dir)
        return found if self.editable_mode else [path for path in found if not path.endswith((".so", ".pyd"))]


class BdistWheel(bdist_wheel):
    """Tags the wheel by what is in it: abi3 with the extension, py3-none-any without."""

    def _has_extension(self) -> bool:
        return any(Path(self.bdist_dir or "build").rglob("_native*.so")) or any(
            Path(self.bdist_dir or "build").rglob("_native*.pyd")
        )

    def finalize_options(self) -> None:
        super().finalize_options()
        self.root_is_pure = rust_mode() == "off" or not rust_extensions()

    def write_wheelfile(self, wheelfile_base: str, generator: str | None = None) -> None:
        # Called after the build has filled bdist_dir: only now is it known whether an optional build succeeded.
        self.root_is_pure = not self._has_extension()
        if generator is None:
            super().write_wheelfile(wheelfile_base)
        else:
            super().write_wheelfile(wheelfile_base, generator)

    def get_tag(self) -> tuple[str, str, str]:
        if self._has_extension():
            _, _, platform = super().get_tag()
            return ("cp311", "abi3", platform)
        return ("py3", "none", "any")


def package_dir() -> dict[str, str]:
    """Return the folder of every package, by the package's name."""
    found = {}
    for folder in (TOP, *INSIDE):
        for init in sorted((ROOT / folder).rglob("__init__.py")):
            parts = init.parent.relative_to(ROOT).parts
            found[".".join(("esoteric_drbg", *(parts[1:] if folder == TOP else parts)))] = "/".join(parts)
    return found


if __name__ == "__main__":
    setup(
        packages=sorted(package_dir()),
        package_dir=package_dir(),
        rust_extensions=rust_extensions(),
        cmdclass={"bdist_wheel": BdistWheel, "build_py": BuildPy},
    )
