"""Which extra of this package brings which other package: the core, tokens and streams and the pool, needs none."""

from __future__ import annotations

from esoteric_drbg.errors import KernelUnavailableError

__all__ = ["EXTRA_OF", "install_line", "or_its_extra"]

#: By package as it is imported, the extra that brings it.
EXTRA_OF = {
    "attr": "lab",
    "attrs": "lab",
    "click": "cli",
    "cryptography": "lab",
    "distributed": "cluster",
    "dns": "network",
    "jinja2": "lab",
    "jsonschema": "lab",
    "matplotlib": "report",
    "msgspec": "lab",
    "numpy": "lab",
    "rich": "cli",
    "scipy": "lab",
}


def install_line(extra: str) -> str:
    """Return the command that installs an extra.

    >>> install_line("cli")
    "python -m pip install 'esoteric-drbg[cli]'"
    """
    return f"python -m pip install 'esoteric-drbg[{extra}]'"


def or_its_extra(error: ModuleNotFoundError) -> ImportError:
    """Return the error of our family that says which extra is missing; `error` itself if it is no extra's package.

    >>> print(or_its_extra(ModuleNotFoundError("No module named 'numpy'", name="numpy")))
    numpy is not installed: python -m pip install 'esoteric-drbg[lab]'
    """
    package = (error.name or "").partition(".")[0]
    if package not in EXTRA_OF:
        return error
    return KernelUnavailableError(f"{package} is not installed: {install_line(EXTRA_OF[package])}")
