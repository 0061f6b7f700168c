"""Public names of a package that are loaded on first use, so that using one does not load the others."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from typing import Any

from esoteric_drbg.process.forks import loading

__all__ = ["lazy_names"]


def lazy_names(package: str, homes: Mapping[str, str]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return ``__getattr__`` and ``__dir__`` of a package.

    Parameters
    ----------
    package : str
        Its full name.
    homes : mapping of str to str
        The module that defines each public name, without the package's name; an empty string for a public module.

    Examples
    --------
    >>> find, names = lazy_names("esoteric_drbg", {"Profile": "rbg.profiles"})
    >>> find("Profile").__name__
    'Profile'
    """

    def find(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        with loading:  # a fork waits
            try:
                module = importlib.import_module(f"{package}.{homes[name] or name}")
            except ModuleNotFoundError as error:
                from esoteric_drbg.extras import or_its_extra  # noqa: PLC0415

                raise or_its_extra(error) from None
            try:
                value = getattr(module, name) if homes[name] else module
            except AttributeError:
                from esoteric_drbg.errors import DRBGStateError  # noqa: PLC0415

                raise DRBGStateError(f"this very thread is loading {name}: a signal handler asks again later") from None
        setattr(sys.modules[package], name, value)
        return value

    def names() -> list[str]:
        return sorted({*vars(sys.modules[package]), *homes})

    return find, names
