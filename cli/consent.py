"""The options by which a user allows sensors and names network targets, for this command and its children."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, TypeVar

import click

from esoteric_drbg.errors import InvalidInputError
from esoteric_drbg.noise_sources.consent import allow_sensor, network_targets

__all__ = ["DNS_VARIABLE", "TCP_VARIABLE", "allow_named", "consent_options"]

#: Servers and targets that the network sources may talk to, separated by commas.
DNS_VARIABLE = "ESOTERIC_DRBG_DNS_SERVERS"
TCP_VARIABLE = "ESOTERIC_DRBG_TCP_TARGETS"

_Command = TypeVar("_Command", bound=Callable[..., Any])


def _name_targets(variable: str, port: int | None) -> Callable[[click.Context, click.Parameter, tuple[str, ...]], None]:
    def callback(_: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> None:
        try:
            for value in values:
                network_targets(value, default_port=port)
        except InvalidInputError as error:
            raise click.BadParameter(str(error), param=parameter) from None
        if values:
            os.environ[variable] = ",".join(values)

    return callback


def _allow_sensors(_: click.Context, __: click.Parameter, values: tuple[str, ...]) -> None:
    allow_named(values)


def allow_named(names: tuple[str, ...]) -> None:
    """Allow the sensors among the sources that the user named; naming any other source changes nothing."""
    for name in names:
        allow_sensor(name)


def consent_options(command: _Command) -> _Command:
    """Add ``--sensor``, ``--dns-server`` and ``--tcp-target`` to a command."""
    for option in (
        click.option(
            "--tcp-target",
            multiple=True,
            metavar="HOST:PORT",
            expose_value=False,
            callback=_name_targets(TCP_VARIABLE, None),
            help="Let tcp_connect open connections to this target.",
        ),
        click.option(
            "--dns-server",
            multiple=True,
            metavar="HOST[:PORT]",
            expose_value=False,
            callback=_name_targets(DNS_VARIABLE, 53),
            help="Let dns_timing ask this server.",
        ),
        click.option(
            "--sensor",
            multiple=True,
            metavar="NAME",
            expose_value=False,
            callback=_allow_sensors,
            help="Allow a sensor (audio_thermal, camera_shot_noise, bluetooth_ble, ...) to be read.",
        ),
    ):
        command = option(command)
    return command
