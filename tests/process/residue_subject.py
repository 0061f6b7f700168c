"""The process whose memory is searched: it runs one operation of a DRBG kernel after another, and waits after each.

Its inputs lie in a mapped file, which the searching process overwrites before it looks: no copy of them is made here.
"""

from __future__ import annotations

import mmap
import os
import sys
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from esoteric_drbg.kernels import _native

#: Calls of C functions between the waiting loop and an operation: what is left below is not overwritten afterwards.
DEPTH = 60


def deep(level: int, operation: Callable[[Any], object], argument: object) -> None:
    """Run an operation far down the stack; nothing of ours runs there afterwards."""

    def deeper(level: int) -> None:
        deep(level - 1, operation, argument)

    if level:
        deque(map(deeper, (level,)), 0)
    else:
        deque(map(operation, (argument,)), 0)


def make(mechanism: str, primitive: str, derivation_function: bool) -> Any:
    """Return an uninstantiated state."""
    if (mechanism, primitive) == ("Hash_DRBG", "sha256"):
        return _native.HashDrbgState("sha256", None)
    return _native.new_drbg_state(mechanism, primitive, derivation_function, 128)


def run(arguments: list[str]) -> None:
    """Answer each command, a line on standard input, by ``.`` when it is done."""
    path, mechanism, primitive, derivation = arguments
    with open(path, "r+b") as file:
        shared = memoryview(mmap.mmap(file.fileno(), 0))
    entropy, nonce, extra = shared[:48], shared[48:64], shared[64:96]
    if derivation == "without":
        nonce = nonce[:0]
    state: Any = make(mechanism, primitive, derivation == "with")
    operations: dict[str, Callable[[Any], object]] = {
        "instantiate": lambda _: state.instantiate(entropy, nonce, extra),
        "reseed": lambda _: state.reseed(entropy),
        "reseed_with": lambda _: state.reseed(entropy, extra),
        "generate": state.generate,
        "generate_with": lambda n: state.generate(n, extra),
        "draw": state.draw,
        "zeroize": lambda _: state.zeroize(),
        "hash_df": lambda _: _native.hash_df(shared[:96], 440),
        "hash_df_512": lambda _: _native.hash_df(shared[:96], 440, hash_name="sha512", data_bits=765),
    }
    if hasattr(state, "token_bytes"):
        operations |= {"mix": lambda _: state.mix(extra), "token_bytes": state.token_bytes}
    os.write(1, f"{id(state)} {type(state).__basicsize__}\n".encode())
    while True:
        name, _, argument = os.read(0, 100).decode().partition(" ")
        if name == "drop":
            operations.clear()
            state = None
        else:
            if name == "token_bytes":
                state.grant(8 * int(argument))
            deep(DEPTH, operations[name], int(argument or 0))
        os.write(1, b".")


if __name__ == "__main__":
    if sys.argv[1] == "thread":
        worker = threading.Thread(target=run, args=(sys.argv[2:],))
        worker.start()
        worker.join()
    else:
        run(sys.argv[2:])
