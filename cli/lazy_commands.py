"""The commands of a group, each imported when it is called, so that it does not wait for the imports of the others."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping, MutableMapping

import click

__all__ = ["LazyCommands"]


class LazyCommands(MutableMapping[str, click.Command]):
    """The dictionary of a :class:`click.Group`; names are known at once, a command is imported when it is looked up.

    Parameters
    ----------
    homes : mapping of str to str
        ``module:attribute`` of each command by its name, the module without ``esoteric_drbg.cli.``.
    """

    def __init__(self, homes: Mapping[str, str]) -> None:
        self._homes = dict(homes)
        self._commands: dict[str, click.Command] = {}

    def __getitem__(self, name: str) -> click.Command:
        if name not in self._commands:
            module, _, attribute = self._homes[name].partition(":")
            self._commands[name] = getattr(importlib.import_module(f"esoteric_drbg.cli.{module}"), attribute)
        return self._commands[name]

    def __setitem__(self, name: str, command: click.Command) -> None:
        self._homes.setdefault(name, "")
        self._commands[name] = command

    def __delitem__(self, name: str) -> None:
        del self._homes[name]
        self._commands.pop(name, None)

    def __iter__(self) -> Iterator[str]:
        return iter(self._homes)

    def __len__(self) -> int:
        return len(self._homes)
