"""A dask cluster as an executor, for assessments of many files or permutations."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from concurrent.futures import Executor

from esoteric_drbg.errors import InvalidInputError
from esoteric_drbg.extras import need

__all__ = ["connected"]

#: Seconds to wait for the scheduler.
CONNECT_TIMEOUT_S = 10.0
#: How often a call is repeated after its worker was lost.
RETRIES = 3


@contextlib.contextmanager
def connected(address: str) -> Iterator[Executor]:
    """Connect to a dask scheduler and return its executor; the connection ends with the block.

    The workers need this package, and see files under the same paths.

    Parameters
    ----------
    address : str
        Address of the scheduler: ``"tcp://host:8786"``.

    Raises
    ------
    MissingExtraError
        If dask is not installed.
    InvalidInputError
        If no scheduler answers at the address.
    """
    need("distributed")
    from distributed import Client  # noqa: PLC0415 - an extra

    try:
        client = Client(address, timeout=CONNECT_TIMEOUT_S, set_as_default=False)  # type: ignore[no-untyped-call]
    except (OSError, ValueError, TypeError) as error:
        raise InvalidInputError(f"scheduler {address}: {error}") from None
    with client:
        # pure=False: otherwise dask runs equal calls only once.
        yield client.get_executor(pure=False, retries=RETRIES)  # type: ignore[no-untyped-call]
