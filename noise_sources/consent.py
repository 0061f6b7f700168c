"""The user's consent to sources that need it: sensors by name, network targets by address.

No source of ours listens, watches or sends a packet by default. The user consents by an environment variable, so that
the fresh processes of a restart recording see it, too; a command that names a source (``probe NAME``) sets it for this
process and its children.
"""

from __future__ import annotations

import os

from esoteric_drbg.errors import InvalidInputError

__all__ = ["SENSORS_VARIABLE", "allow_sensor", "network_targets", "sensor_allowed"]

#: Names of the sensor sources that may be read, separated by commas.
SENSORS_VARIABLE = "ESOTERIC_DRBG_SENSORS"


def _allowed() -> list[str]:
    return [name.strip() for name in os.environ.get(SENSORS_VARIABLE, "").split(",") if name.strip()]


def sensor_allowed(name: str) -> bool:
    """Return True if the user named this sensor in ``ESOTERIC_DRBG_SENSORS``.

    Examples
    --------
    >>> sensor_allowed("a sensor that nobody named")
    False
    """
    return name in _allowed()


def allow_sensor(name: str) -> None:
    """Let this process, and the processes it starts from now on, read the sensor ``name``."""
    if not sensor_allowed(name):
        os.environ[SENSORS_VARIABLE] = ",".join([*_allowed(), name])


def network_targets(text: str, *, default_port: int | None = None) -> list[tuple[str, int]]:
    """Return the hosts and ports of a comma-separated list: ``192.0.2.1:53, [2001:db8::1]:53, host:7``.

    Parameters
    ----------
    text : str
        The list; an empty list has no targets.
    default_port : int, optional
        The port of a target that names none.

    Raises
    ------
    InvalidInputError
        If a target has no host, no port, or a port outside 1 to 65535.

    Examples
    --------
    >>> network_targets("127.0.0.1:5353, [::1]:53")
    [('127.0.0.1', 5353), ('::1', 53)]
    """
    return [_target(part.strip(), default_port) for part in text.split(",") if part.strip()]


def _target(text: str, default_port: int | None) -> tuple[str, int]:
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            raise InvalidInputError(f"target {text!r}: expected HOST:PORT or [IPV6]:PORT")
        port = rest[1:]
    elif text.count(":") > 1:
        host, port = text, ""
    else:
        host, _, port = text.partition(":")
    number = int(port) if port.isascii() and port.isdigit() else (default_port if not port else None)
    if not host or number is None or not 1 <= number <= 65535:
        raise InvalidInputError(f"target {text!r}: expected HOST:PORT with a port from 1 to 65535")
    return host, number
