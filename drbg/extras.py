"""Which extra of this package installs which other package; the core (tokens, streams and the pool) needs none."""

from __future__ import annotations

import importlib

from esoteric_drbg.errors import MissingExtraError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["EXTRA_OF", "install_line", "load", "missing", "need", "or_its_extra"]

#: The extra that installs a package, by the package's import name.
EXTRA_OF = {
    "attr": "lab",
    "attrs": "lab",
    "av": "camera",
    "bleak": "ble",
    "click": "cli",
    "cryptography": "lab",
    "distributed": "cluster",
    "dns": "network",
    "jinja2": "lab",
    "jsonschema": "lab",
    "matplotlib": "report",
    "msgspec": "lab",
    "numpy": "lab",
    "pyopencl": "gpu",
    "rich": "cli",
    "scipy": "lab",
    "sounddevice": "audio",
}


def install_line(extra: str) -> str:
    """Return the command that installs an extra.

    >>> install_line("cli")
    'pip install "esoteric-drbg[cli]"'
    """
    return f'pip install "esoteric-drbg[{extra}]"'


def missing(*packages: str) -> str:
    """Return which package is not installed and how to install it; an empty string if all are installed.

    The packages are searched for, not imported.

    >>> missing()
    ''
    """
    from importlib.util import find_spec  # noqa: PLC0415 - not needed on the token path

    for package in packages:
        try:
            found = find_spec(package) is not None
        except ImportError:
            found = False
        except ValueError:  # a loaded module without a spec: it was made by hand
            found = True
        if not found:
            return _words(package)
    return ""


def need(*packages: str) -> None:
    """Raise unless all packages are installed; to be called before anything is opened or written.

    Raises
    ------
    MissingExtraError
        For the first package that is not installed.
    """
    for package in packages:
        if missing(package):
            raise _error(package)


def load(package: str) -> Any:
    """Import a package of an extra at the moment it is needed, so that the token path never loads it.

    Raises
    ------
    MissingExtraError
        If it is not installed.
    """
    try:
        return importlib.import_module(package)
    except ModuleNotFoundError as error:
        raise or_its_extra(error) from None


def or_its_extra(error: ModuleNotFoundError) -> ImportError:
    """Return the error of our family that says which extra is missing; `error` itself if it is no extra's package.

    >>> print(or_its_extra(ModuleNotFoundError("No module named 'numpy'", name="numpy")))
    numpy is not installed: pip install "esoteric-drbg[lab]"
    """
    package = (error.name or "").partition(".")[0]
    return _error(package) if package in EXTRA_OF else error


def _words(package: str) -> str:
    return f"{package} is not installed: {install_line(EXTRA_OF[package])}"


def _error(package: str) -> MissingExtraError:
    return MissingExtraError(_words(package), package=package, extra=EXTRA_OF[package])
