"""The RBG2 instance: seeds, budgets, threads, forks, and the hot path's agreement with the readable one."""

from __future__ import annotations

import contextlib
import copy
import gc
import os
import pickle
import signal
import threading
import warnings
import weakref
from collections.abc import Callable
from multiprocessing import get_context

import pytest

import esoteric_drbg
from esoteric_drbg import SP800_90A, SP800_90C, EntropyPool, Profile, RBG2Instance, errors
from esoteric_drbg.kernels import kernel_info
from esoteric_drbg.kernels.reference.hash_drbg import HashDrbgState as ReferenceState
from esoteric_drbg.mechanisms.hash_drbg import HashDRBG
from esoteric_drbg.seeding.ledger import LedgerEntry, SeedLedger

REFERENCE = kernel_info().name == "reference"


def full_ledger(bits: int) -> SeedLedger:
    """Return a ledger that credits ``bits`` bits."""
    block = LedgerEntry("made_up", "made_up", bits, 1.0, "passed", bits, bits, 256, bits, bits, bits, "")
    return SeedLedger(bits, bits, (block,))


class CountingPool(EntropyPool):
    """A pool of made-up entropy that counts the seeds taken from it, and can run dry."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[int] = []
        self.dry = False

    def seed_material(self, bits: int) -> tuple[bytes, SeedLedger]:
        if self.dry:
            raise errors.EntropyUnavailableError("dry")
        self.asked.append(bits)
        material = len(self.asked).to_bytes(4, "big") * (bits // 32)
        return material, full_ledger(bits)


def make(profile: Profile = SP800_90C) -> tuple[RBG2Instance, CountingPool]:
    """Return an instance that mixes nothing in, so that its output and its requests can be foretold, and its pool."""
    pool = CountingPool()
    rbg = RBG2Instance(pool, profile=profile)
    rbg._core.state.mix_every(1 << 62)
    return rbg, pool


def test_nothing_happens_before_the_first_request() -> None:
    rbg, pool = make()
    assert pool.asked == []
    assert rbg.status()["instantiated"] is False
    assert rbg.token_bytes(0) == b""
    rbg.token_bytes(1)
    assert pool.asked == [384]
    assert rbg.status()["instantiated"] is True


def test_default_profile_reseeds_within_2_17_output_bits() -> None:
    rbg, pool = make()
    for _ in range(512):
        rbg.token_bytes(32)
    assert pool.asked == [384]
    assert rbg.status()["budget_bits_left"] == 0
    rbg.token_bytes(1)
    assert pool.asked == [384, 256]


@pytest.mark.parametrize("length", [16_384, 16_385, 50_000, 100_000])
def test_large_requests_take_a_seed_per_2_17_bits(length: int) -> None:
    rbg, pool = make()
    out = rbg.token_bytes(length)
    assert len(out) == length
    assert len(pool.asked) == -(-length // 16_384)


def test_a_request_that_does_not_fit_the_rest_of_a_seed_reseeds_first() -> None:
    rbg, pool = make()
    rbg.token_bytes(16_383)
    rbg.token_bytes(1)
    assert len(pool.asked) == 1
    rbg, pool = make()
    rbg.token_bytes(16_383)
    rbg.token_bytes(2)
    assert len(pool.asked) == 2


def test_the_90a_profile_lifts_that_limit_only() -> None:
    rbg, pool = make(SP800_90A)
    for _ in range(5):
        rbg.token_bytes(1 << 20)
    assert pool.asked == [384]
    assert rbg.status()["requests_since_seed"] == 5 * 16


@pytest.mark.parametrize("profile", [SP800_90C, SP800_90A], ids=lambda profile: profile.name)
def test_output_equals_the_section_9_functions(profile: Profile, monkeypatch: pytest.MonkeyPatch) -> None:
    extra = b"fixed additional input"
    monkeypatch.setattr("esoteric_drbg.rbg.core._uncredited_bytes", lambda: extra)
    monkeypatch.setattr("esoteric_drbg.rbg.core._personalization", lambda construction: b"p")
    rbg, _ = make(profile)
    twin_pool = CountingPool()
    twin = HashDRBG(lambda bits: twin_pool.seed_material(bits)[0])
    twin.instantiate(256, personalization_string=b"p" + extra)
    left = profile.seed_output_bits // 8
    for length in [32, 1, 33, 4096, 16_000, 100, 70_000]:
        expected = b""
        while len(expected) < length:
            size = min(length - len(expected), profile.seed_output_bits // 8)
            if left < size:
                twin.reseed(extra)
                left = profile.seed_output_bits // 8
            left -= size
            expected += b"".join(twin.generate(min(65_536, size - begin)) for begin in range(0, size, 65_536))
        assert rbg.token_bytes(length) == expected, length


def test_prediction_resistance_and_additional_input() -> None:
    rbg, pool = make()
    first = rbg.generate(40, prediction_resistance=True)
    second = rbg.generate(40, prediction_resistance=True, additional_input=b"x")
    assert first != second
    assert pool.asked == [384, 256]
    assert len(rbg.generate(70_000, additional_input=b"x")) == 70_000
    with pytest.raises(errors.InvalidInputError):
        rbg.generate(-1)


def test_reseed_on_demand() -> None:
    rbg, pool = make()
    rbg.token_bytes(100)
    rbg.reseed(b"operator")
    assert pool.asked == [384, 256]
    assert rbg.status()["budget_bits_left"] == 1 << 17


def test_when_the_pool_runs_dry_the_budget_is_honoured_and_then_nothing_is_output() -> None:
    rbg, pool = make()
    rbg.token_bytes(16_000)
    pool.dry = True
    assert len(rbg.token_bytes(384)) == 384
    for length in (1, 32, 100_000):
        with pytest.raises(errors.EntropyUnavailableError):
            rbg.token_bytes(length)
    pool.dry = False
    assert len(rbg.token_bytes(1)) == 1
    dry, pool = make()
    pool.dry = True
    with pytest.raises(errors.EntropyUnavailableError):
        dry.token_bytes()


def test_uninstantiate_forgets_and_the_next_request_instantiates_anew() -> None:
    rbg, pool = make()
    rbg.token_bytes()
    rbg.uninstantiate()
    assert rbg.status()["instantiated"] is False
    rbg.token_bytes()
    assert pool.asked == [384, 384]


def test_lengths_as_secrets_takes_them() -> None:
    rbg, _ = make()
    assert len(rbg.token_bytes()) == len(rbg.token_bytes(None)) == 32
    assert len(rbg.token_bytes(True)) == 1
    with pytest.raises(ValueError, match="negative"):
        rbg.token_bytes(-1)
    for bad in ("x", 1.5, b"1"):
        with pytest.raises(TypeError):
            rbg.token_bytes(bad)  # type: ignore[arg-type]
    with pytest.raises(OverflowError):
        rbg.token_bytes(1 << 80)


def test_neither_copied_nor_pickled() -> None:
    rbg, _ = make()
    for attempt in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(errors.CloneRefusedError):
            attempt(rbg)


def test_instances_are_collected_although_their_state_calls_back() -> None:
    rbg, _ = make()
    rbg.token_bytes()
    alive = weakref.ref(rbg)
    del rbg
    gc.collect()
    assert alive() is None


def test_what_is_no_pool_is_refused_at_once() -> None:
    for nothing in (None, b"seed", 7, ()):
        with pytest.raises(errors.InvalidInputError, match="expected an EntropyPool, or a function that makes one"):
            RBG2Instance(nothing)  # type: ignore[arg-type]


def test_profiles_refuse_nonsense() -> None:
    with pytest.raises(errors.InvalidInputError):
        Profile(name="x", seed_output_bits=0)
    with pytest.raises(errors.InvalidInputError):
        Profile(name="x", seed_output_bits=8, security_strength=100)


def in_threads(count: int, work: Callable[[], None]) -> None:
    workers = [threading.Thread(target=work) for _ in range(count)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


def test_threads_never_get_the_same_bytes_nor_more_than_the_budget() -> None:
    rbg, pool = make()
    tokens: list[bytes] = []
    per_thread = 200 if REFERENCE else 5_000

    def work() -> None:
        tokens.extend([rbg.token_bytes(32) for _ in range(per_thread)])
        tokens.append(rbg.token_bytes(40_000)[:32])

    in_threads(8, work)
    assert len(set(tokens)) == len(tokens) == 8 * (per_thread + 1)
    output_bits = 8 * 8 * (32 * per_thread + 40_000)
    assert len(pool.asked) >= output_bits / (1 << 17)


def child_tokens(rbg: RBG2Instance, count: int) -> tuple[bytes, list[bytes]]:
    """Fork; return what the child's first token was made after (b"reseeded" or not) and its tokens."""
    reader, writer = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # 3.12+: fork in a process with threads
        child = os.fork()
    if child == 0:
        code = 1
        try:
            os.close(reader)
            seeds = rbg.seeds
            tokens = [rbg.token_bytes(32) for _ in range(count)]
            with os.fdopen(writer, "wb") as pipe:
                pipe.write((b"reseeded" if rbg.seeds == seeds + 1 else b"the same") + b"".join(tokens))
            code = 0
        finally:
            os._exit(code)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        data = pipe.read()
    assert os.waitpid(child, 0)[1] == 0
    return data[:8], [data[begin : begin + 32] for begin in range(8, len(data), 32)]


def test_a_forked_child_reseeds_before_its_first_byte() -> None:
    rbg = RBG2Instance(EntropyPool.auto(plugins=False))
    rbg.token_bytes()
    seeds = rbg.seeds
    verdict, tokens = child_tokens(rbg, 3)
    assert verdict == b"reseeded"
    ours = [rbg.token_bytes(32) for _ in range(3)]
    assert rbg.seeds == seeds
    assert len({*tokens, *ours}) == 6


def test_a_child_whose_pool_is_dry_raises_and_never_repeats() -> None:
    rbg, pool = make()
    rbg.token_bytes()
    pool.dry = True
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            rbg.token_bytes()
            os.write(writer, b"output")
        except errors.EntropyUnavailableError:
            os.write(writer, b"raised")
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reader, 10) == b"raised"
    os.close(reader)
    os.close(writer)
    assert len(rbg.token_bytes()) == 32


def test_forks_while_another_thread_holds_the_pool() -> None:
    pool = EntropyPool.auto(plugins=False)
    rbg = RBG2Instance(pool)
    rbg.token_bytes()
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            pool.get_entropy(4096)

    worker = threading.Thread(target=work)
    worker.start()
    try:
        for _ in range(5):
            verdict, _ = child_tokens(rbg, 1)
            assert verdict == b"reseeded"
    finally:
        stop.set()
        worker.join()


def test_forks_while_other_threads_generate() -> None:
    rbg = RBG2Instance(EntropyPool.auto(plugins=False))
    stop = threading.Event()
    mine: list[bytes] = []

    def work() -> None:
        while not stop.is_set():
            mine.append(rbg.token_bytes(100_000 if len(mine) % 3 else 32)[:32])

    workers = [threading.Thread(target=work) for _ in range(3)]
    for worker in workers:
        worker.start()
    theirs: list[bytes] = []
    try:
        for _ in range(5):
            verdict, tokens = child_tokens(rbg, 5)
            assert verdict == b"reseeded"
            theirs += tokens
    finally:
        stop.set()
        for worker in workers:
            worker.join()
    assert len({*mine, *theirs}) == len(mine) + len(theirs)


def test_a_raw_fork_that_python_does_not_see_is_noticed() -> None:
    """clone() behind Python's back runs no fork handler: only the wiped page tells."""
    import ctypes

    libc = ctypes.CDLL(None)
    rbg, pool = make()
    rbg.token_bytes()
    reader, writer = os.pipe()
    child = libc.fork()
    if child == 0:
        rbg.token_bytes()
        os.write(writer, len(pool.asked).to_bytes(1, "big"))
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reader, 1) == b"\x02"
    os.close(reader)
    os.close(writer)
    assert len(pool.asked) == 1


def spawn_target(connection: object, count: int) -> None:
    connection.send_bytes(b"".join(esoteric_drbg.token_bytes(32) for _ in range(count)))  # type: ignore[attr-defined]


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_multiprocessing_children_get_their_own_bytes(method: str) -> None:
    context = get_context(method)
    esoteric_drbg.token_bytes()
    blocks: set[bytes] = set()
    for _ in range(2):
        reader, writer = context.Pipe(duplex=False)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            process = context.Process(target=spawn_target, args=(writer, 10))  # type: ignore[attr-defined]
            process.start()
        writer.close()
        data = reader.recv_bytes()
        reader.close()
        process.join()
        assert process.exitcode == 0
        blocks |= {data[begin : begin + 32] for begin in range(0, len(data), 32)}
    blocks |= {esoteric_drbg.token_bytes(32) for _ in range(10)}
    assert len(blocks) == 30


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_no_block_repeats_in_a_million_tokens_across_forks_and_threads() -> None:
    rbg = RBG2Instance(EntropyPool.auto(plugins=False))
    total, parts = (40_000 if REFERENCE else 1_000_000), 16
    tokens: list[bytes] = []

    def work() -> None:
        tokens.extend([rbg.token_bytes(32) for _ in range(total // parts)])

    in_threads(8, work)
    for _ in range(8):
        verdict, theirs = child_tokens(rbg, total // parts)
        assert verdict == b"reseeded" or total // parts * 32 > 16_384
        tokens += theirs
    assert len(tokens) == total
    assert len(set(tokens)) == total


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs POSIX timers")
@pytest.mark.timeout(120, method="thread")  # the other method wants the same timer
def test_a_signal_handler_may_ask_for_tokens() -> None:
    rbg, _ = make()
    inside: list[bytes] = []
    outside: list[bytes] = []
    calls = 0

    def handler(signum: int, frame: object) -> None:
        nonlocal calls
        calls += 1
        # The readable kernel refuses to be re-entered in the middle of a request, rather than repeat itself.
        with contextlib.suppress(errors.DRBGStateError):
            inside.append(rbg.token_bytes(32))

    before = signal.signal(signal.SIGALRM, handler)
    try:
        for expected in range(1, 41):
            signal.setitimer(signal.ITIMER_REAL, 0.0005)  # once: a periodic timer would outrun the readable kernel
            while calls < expected:
                outside.append(rbg.token_bytes(32))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert inside
    assert len({*inside, *outside}) == len(inside) + len(outside)


def test_reference_state_refuses_re_entry_from_its_own_thread() -> None:
    state = ReferenceState()
    state.instantiate(bytes(48), b"")
    with state._requested(), pytest.raises(errors.DRBGStateError, match="re-entered"):
        state.generate(1)
    assert len(state.generate(1)) == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_fork_while_another_thread_makes_its_pool() -> None:
    """The child makes a pool of its own; it does not wait for the one that the parent's thread is making."""
    making, go_on, parent = threading.Event(), threading.Event(), os.getpid()

    def make_pool() -> EntropyPool:
        making.set()
        if os.getpid() == parent:
            go_on.wait(10)
        return EntropyPool.auto(plugins=False)

    instance = RBG2Instance(make_pool)
    drawn: list[bytes] = []
    thread = threading.Thread(target=lambda: drawn.append(instance.token_bytes(32)))
    thread.start()
    assert making.wait(10)
    threading.Timer(0.2, go_on.set).start()
    child = os.fork()
    if child == 0:
        os._exit(0 if len(instance.token_bytes(32)) == 32 else 1)
    _, status = os.waitpid(child, 0)
    thread.join(10)
    assert os.waitstatus_to_exitcode(status) == 0
    assert len(drawn[0]) == 32


def test_threads_with_large_requests_wait_for_one_another() -> None:
    instance = RBG2Instance(EntropyPool.auto(plugins=False), profile=SP800_90A)
    answers: list[bytes] = []
    n_bytes = 1 << 20 if kernel_info().name == "rust" else 1 << 16

    def draw() -> None:
        answers.extend(instance.token_bytes(n_bytes)[:16] for _ in range(10))

    threads = [threading.Thread(target=draw) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(answers)) == len(answers) == 30
