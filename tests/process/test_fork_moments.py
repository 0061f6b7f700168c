"""A fork at every moment of a request: whoever asks for bytes after it gets bytes of its own, in parent and child.

A trace function forks at the n-th line that a request runs in this package: where a signal handler, a finaliser or a
callback of the collector would. The child either stays in that function for ever, or returns and goes on with the
frames that it inherited. Nothing may be the same on both sides, hang, or raise.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import random
import select
import signal
import sys
import time
from collections.abc import Callable
from functools import partial
from types import FrameType
from typing import Any

import pytest

from esoteric_drbg import SP800_90A, EntropyPool, Profile, RandomFile, RBG2Instance, RBGCInstance, SystemRandom
from esoteric_drbg.adapters import aio
from esoteric_drbg.kernels import kernel_info
from esoteric_drbg.mechanisms.ctr_drbg import CtrDRBG
from esoteric_drbg.mechanisms.hash_drbg import HashDRBG
from esoteric_drbg.mechanisms.hmac_drbg import HmacDRBG

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # 3.12+: a fork beside threads is what is tested
]

RUST = kernel_info().name == "rust"
#: Every token costs a seed: the longest way that a request can take.
EACH_A_SEED = Profile(name="each_a_seed", seed_output_bits=256)
#: Seconds that a child may take: a fork bomb or a hang ends here.
CHILD_S = 5.0
#: Forks of each way, at lines spread over the whole request.
MOMENTS = 40 if RUST else 12

Draw = Callable[[], bytes]


def instance(profile: Profile = EACH_A_SEED) -> RBG2Instance:
    rbg = RBG2Instance(EntropyPool.for_tokens, profile=profile)
    rbg.token_bytes(32)
    return rbg


def mechanism(kind: type[HashDRBG] | type[HmacDRBG] | type[CtrDRBG]) -> HashDRBG | HmacDRBG | CtrDRBG:
    drbg = kind(lambda bits: os.urandom(bits // 8))
    drbg.instantiate(prediction_resistance=True)
    return drbg


def into(rbg: RBG2Instance, n_bytes: int) -> bytes:
    buffer = bytearray(n_bytes)
    rbg.readinto(buffer)
    return bytes(buffer)


def read_file(file: RandomFile, n_bytes: int) -> bytes:
    buffer = bytearray(n_bytes)
    file.readinto(buffer)
    return bytes(buffer)


def numpy_words() -> Draw:
    from esoteric_drbg import BitGenerator

    np = pytest.importorskip("numpy")
    generator = np.random.Generator(BitGenerator(instance(), buffer_bytes=32))
    return lambda: bytes(generator.integers(0, 1 << 64, 8, dtype=np.uint64).tobytes())


def first_seed() -> bytes:
    return RBG2Instance(EntropyPool.for_tokens).token_bytes(32)


def of_one_seed_each() -> EntropyPool:
    return EntropyPool(EntropyPool.for_tokens().sources, profile=EACH_A_SEED)


def run_aio(rbg: RBG2Instance) -> bytes:
    return asyncio.run(aio.token_bytes(32, instance=rbg))


#: Every public way to get bytes -> a function that makes what it draws with.
WAYS: dict[str, Callable[[], Draw]] = {
    "token_bytes": lambda: partial(instance().token_bytes, 32),
    "token_bytes of many seeds": lambda: partial(instance().token_bytes, 700),
    "prediction resistance": lambda: partial(instance(SP800_90A).generate, 32, prediction_resistance=True),
    "additional input": lambda: partial(instance().generate, 70, additional_input=b"x"),
    "readinto": lambda: partial(into, instance(), 100),
    "RBGC": lambda: partial(RBGCInstance(instance(), profile=EACH_A_SEED).token_bytes, 32),
    "get_random_bytes": lambda: partial(of_one_seed_each().get_random_bytes, 32),
    "get_entropy": lambda: partial(EntropyPool.for_tokens().get_entropy, 256),
    "SystemRandom": lambda: partial(SystemRandom(instance=instance()).randbytes, 32),
    "RandomFile.read": lambda: partial(RandomFile(instance()).read, 64),
    "RandomFile.readinto": lambda: partial(read_file, RandomFile(instance()), 64),
    "aio": lambda: partial(run_aio, instance()),
    "BitGenerator": numpy_words,
    "HashDRBG": lambda: partial(mechanism(HashDRBG).generate, 32, prediction_resistance=True),
    "HmacDRBG": lambda: partial(mechanism(HmacDRBG).generate, 32, prediction_resistance=True),
    "CtrDRBG": lambda: partial(mechanism(CtrDRBG).generate, 32, prediction_resistance=True),
    "generate_long": lambda: partial(mechanism(HashDRBG).generate_long, 70_000),
    "first seed": lambda: first_seed,
    "first seed of a mechanism": lambda: lambda: mechanism(HashDRBG).generate(32),
}
#: Requests after the one that the fork cuts into.
FRESH = 3
#: The last lines of a request, where its answer is on its way: it was drawn before the fork, and both sides get it.
ON_ITS_WAY = 8


def traced(draw: Draw, number: int, act: Callable[[], object]) -> tuple[bytes, int]:
    """Act at the n-th line that a request runs in the package.

    Return its answer and how many lines followed, counted a little beyond :data:`ON_ITS_WAY`: to trace costs time.
    """
    left = number

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal left
        # numpy and the interpreter's own modules have lines between ours
        if "esoteric_drbg" not in frame.f_globals.get("__name__", ""):
            return None
        if event == "line":
            left -= 1
            if left < -ON_ITS_WAY:
                sys.settrace(None)
            if left == 0:
                sys.settrace(None)
                act()
                sys.settrace(trace)
        return trace

    sys.settrace(trace)
    try:
        return draw(), -left
    finally:
        sys.settrace(None)


def lines_of(draw: Draw) -> int:
    """Return how many lines one request runs in the package."""
    count = 0

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal count
        if "esoteric_drbg" not in frame.f_globals.get("__name__", ""):
            return None
        if event == "line":
            count += 1
        return trace

    sys.settrace(trace)
    try:
        draw()
    finally:
        sys.settrace(None)
    return count


def whole(reader: int, child: int) -> bytes:
    """Return what a child wrote until it closed its end; kill it if it takes too long."""
    data, until = b"", time.monotonic() + CHILD_S
    while select.select([reader], [], [], max(until - time.monotonic(), 0))[0]:
        part = os.read(reader, 1 << 16)
        if not part:
            break
        data += part
    else:
        os.kill(child, signal.SIGKILL)
        data += b"hangs"
    os.close(reader)
    os.waitpid(child, 0)
    return data


def fork_at(draw: Draw, number: int, *, stays: bool) -> tuple[list[bytes], list[bytes], int]:
    """Fork at a line of a request.

    Return what the parent got, and what the child did, each in its request and then in fresh ones, and how many lines
    the parent's request ran after the fork.
    """
    reader, writer = os.pipe()
    child = -1

    def split() -> None:
        nonlocal child
        child = os.fork()
        if child == 0 and stays:
            report(b"")

    def report(first: bytes) -> None:
        """In the child: send everything, and end."""
        try:
            os.write(writer, b"|||".join([first, *(draw()[-64:] for _ in range(FRESH))]))
        except BaseException as error:
            os.write(writer, f"|||raised {type(error).__name__}: {error}".encode())
        finally:
            os._exit(0)

    followed = 0
    try:
        answer, followed = traced(draw, number, split)
        first = answer[-64:]
    except BaseException as error:
        first = f"raised {type(error).__name__}: {error}".encode()
    if child == 0:
        report(first)
    os.close(writer)
    if child < 0:  # the request ran fewer lines this time
        os.close(reader)
        return [], [], 0
    mine = [first, *(draw()[-64:] for _ in range(FRESH))]
    return mine, whole(reader, child).split(b"|||"), followed


def blocks(drawn: list[bytes]) -> set[bytes]:
    """Return the 16-byte pieces of what was drawn."""
    return {data[begin : begin + 16] for data in drawn for begin in range(0, len(data) - 15, 16)}


#: Those of many lines.
LONG = {"token_bytes of many seeds", "BitGenerator", "first seed"}


@pytest.mark.slow_reference
@pytest.mark.parametrize("stays", [False, True], ids=["returns", "stays"])
@pytest.mark.parametrize("way", [pytest.param(way, marks=pytest.mark.slow) if way in LONG else way for way in WAYS])
def test_a_fork_at_any_line_of_a_request(way: str, stays: bool) -> None:
    if way == "aio" and not stays:
        pytest.skip("a child that goes on with its parent's event loop takes the parent's events: asyncio forbids it")
    draw = WAYS[way]()
    draw()
    total = lines_of(draw)
    picked = random.Random(f"{way} {stays}")  # always the same moments
    numbers = sorted(picked.sample(range(1, total + 1), min(MOMENTS, total)))
    bad: list[tuple[int, str]] = []
    for number in numbers:
        mine, theirs, followed = fork_at(draw, number, stays=stays)
        said = [text for text in (*mine, *theirs) if b"raised" in text or text.endswith(b"hangs")]
        if said or len(mine) != len(theirs):
            bad.append((number, said[0][-300:].decode(errors="replace") if said else "the child crashed"))
        elif blocks(mine[1:]) & blocks(theirs) or blocks(mine) & blocks(theirs[1:]):
            bad.append((number, "the same fresh bytes on both sides"))
        # numpy asks for word after word: the first ones of an array are in it when the fork comes.
        elif followed > ON_ITS_WAY and way != "BitGenerator" and blocks(mine) & blocks(theirs):
            bad.append((number, "the same bytes from the request that the fork cut into"))
    assert not bad, f"{len(bad)} of {len(numbers)} moments of {total} lines: {bad[:5]}"


FORKS: dict[str, Callable[[], int]] = {"os.fork": os.fork, "libc fork": ctypes.CDLL(None).fork}


@pytest.mark.parametrize("kind", FORKS)
@pytest.mark.parametrize("way", WAYS)
def test_a_fork_between_two_requests(way: str, kind: str) -> None:
    """Whatever forks: Python, which tells its modules, or the C library behind its back."""
    if way == "aio" and kind != "os.fork":
        pytest.skip("CPython's own threads do not survive a fork that it does not know of")
    draw = WAYS[way]()
    draw()
    reader, writer = os.pipe()
    child = FORKS[kind]()
    if child == 0:
        try:
            os.write(writer, b"|||".join(draw()[-64:] for _ in range(FRESH)))
        except BaseException as error:
            os.write(writer, f"raised {type(error).__name__}: {error}".encode())
        finally:
            os._exit(0)
    os.close(writer)
    mine = [draw()[-64:] for _ in range(FRESH)]
    theirs = whole(reader, child).split(b"|||")
    assert len(theirs) == FRESH, theirs
    assert not blocks(mine) & blocks(theirs)
