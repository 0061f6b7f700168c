"""What a review by attack found beside the moments of test_fork_moments: forks, clones, Ctrl-C that keeps locks."""

from __future__ import annotations

import ctypes
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from fakes import ForkingSource, SlowSource
from forking import EACH_A_SEED, in_child, run

from esoteric_drbg import EntropyPool, RBG2Instance, RBGCInstance, SystemRandom
from esoteric_drbg.errors import DRBGStateError
from esoteric_drbg.kernels import process
from esoteric_drbg.kernels.fallback.timing import TimingSampler
from esoteric_drbg.kernels.process import ProcessLock, fork_generation, in_one_process
from esoteric_drbg.kernels.reference.bit_generator import WordStream
from esoteric_drbg.kernels.reference.ctr_drbg import CtrDrbgState
from esoteric_drbg.kernels.reference.hash_drbg import HashDrbgState
from esoteric_drbg.kernels.reference.hmac_drbg import HmacDrbgState
from esoteric_drbg.noise_sources import create, deadline, guard
from esoteric_drbg.noise_sources.intake import Fault

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # 3.12+: a fork beside threads is what is tested
]


def test_no_normal_is_kept_for_both_sides_of_a_fork() -> None:
    """random.Random.gauss makes two at a time, and would return the second one in parent and child."""
    numbers = SystemRandom()
    numbers.gauss(0.0, 1.0)
    theirs = in_child(lambda: repr(numbers.gauss(0.0, 1.0)).encode())
    assert theirs != repr(numbers.gauss(0.0, 1.0)).encode()


def test_a_random_state_of_numpy_keeps_no_normal_for_both_sides_of_a_fork() -> None:
    np = pytest.importorskip("numpy")
    from esoteric_drbg import BitGenerator

    legacy = np.random.RandomState(BitGenerator())
    for fork in (os.fork, ctypes.PyDLL(None).fork):
        legacy.standard_normal()
        theirs = in_child(lambda: repr(float(legacy.standard_normal())).encode(), fork=fork)
        mine = repr(float(legacy.standard_normal())).encode()
        assert float(theirs) != float(mine)


def test_a_chain_passes_the_seed_that_a_clone_owes_to_its_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The root looks for itself once in an interval; a link that has noticed takes no seed of the state before."""
    device = tmp_path / "sysgenid"
    device.write_bytes((7).to_bytes(4, "little") + bytes(4096 - 4))
    monkeypatch.setenv("ESOTERIC_DRBG_VM_GENERATION", str(device))
    root = RBG2Instance(EntropyPool.for_tokens)
    root._core.state.mix_every(1 << 62)
    link = RBGCInstance(root)
    leaf = RBGCInstance(link)
    link._core.state.mix_every(1 << 62)
    leaf._core.state.mix_every(0)
    leaf.token_bytes(8)
    assert root.seeds == 1
    with device.open("r+b") as file:
        file.write((8).to_bytes(4, "little"))
    leaf.token_bytes(8)
    assert (root.seeds, link._core.seeds, leaf._core.seeds) == (2, 2, 2)


def test_a_fork_in_the_middle_of_starting_the_thread_that_reads() -> None:
    """The child has no such thread, so nobody waits for it, and the source is not taken for one that hangs."""
    source = ForkingSource()
    rbg = RBG2Instance(EntropyPool([source]), profile=EACH_A_SEED)
    rbg.token_bytes(32)
    said = {number: _forked_in_threading(rbg, number) for number in range(1, 120, 3)}
    assert {number: text for number, text in said.items() if text not in (b"ok", b"")} == {}
    assert b"ok" in said.values()


def _forked_in_threading(rbg: RBG2Instance, number: int) -> bytes:
    """Fork at a line that the interpreter's own module threading runs in a request; return what the child says."""
    reader, writer = os.pipe()
    left, child = number, -1

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal left, child
        if event == "line" and frame.f_code.co_filename == threading.__file__:
            left -= 1
            if left == 0:
                sys.settrace(None)
                child = os.fork()
                if child == 0:
                    signal.alarm(5)
                sys.settrace(trace)
        return trace

    sys.settrace(trace)
    try:
        rbg.token_bytes(32)
        said = b"ok" if len(rbg.token_bytes(32)) == 32 else b"short"
    except Exception as error:
        said = repr(error).encode()
    finally:
        sys.settrace(None)
    if child == 0:
        os.write(writer, said)
        os._exit(0)
    assert said == b"ok"
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        answer = pipe.read()
    if child < 0:
        return b""
    return b"hangs" if os.waitpid(child, 0)[1] else answer


def test_a_read_of_the_parent_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A raw fork does not tell the module threading that the thread that reads is no more: its generation does.

    Another generation stands for the fork: CPython itself may hang after a raw one while another thread runs.
    """
    source = guard.GuardedSource(SlowSource())
    assert isinstance(source.source, SlowSource)
    source.source.leave.clear()
    assert isinstance(source.take(8, 0.05), Fault)
    assert source.source.reading.is_set()
    hung = source.take(8, 0.05)
    assert isinstance(hung, Fault)
    assert "an earlier read has not returned yet" in hung.words
    elsewhere = fork_generation() + 1
    for module in (deadline, process):
        monkeypatch.setattr(module, "fork_generation", lambda: elsewhere)
    left, source.source.leave = source.source.leave, threading.Event()
    source.source.leave.set()
    assert isinstance(source.take(8, 5.0), bytes)
    left.set()


def test_a_child_that_is_forked_off_while_the_interpreter_ends() -> None:
    """A daemon thread forks while the last functions run: its process ends, the child's does not."""
    code = """
    import atexit, os, select, threading
    go, said = threading.Event(), []
    def late():
        go.set(); thread.join(20); print(said)
    atexit.register(late)  # before the package registers its own, so it runs after that
    from esoteric_drbg import token_bytes
    token_bytes(8)
    def work():
        go.wait()
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.write(writer, b"%d" % len(token_bytes(8) + token_bytes(100_000)))
            os._exit(0)
        os.close(writer)
        said.append(os.read(reader, 99) if select.select([reader], [], [], 8)[0] else "hangs")
        os.kill(child, 9)
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    """
    assert run(code) == "[b'100008']\n"


@pytest.mark.parametrize("part", ["seeding.gate", "noise_sources.lowest_estimate"])
def test_a_fork_waits_while_another_thread_loads_the_gate(part: str) -> None:
    """On a machine that no evidence fits: a child could not finish the import."""
    code = f"""
    import importlib, importlib.abc, os, select, sys, threading, time
    from esoteric_drbg import token_bytes
    from esoteric_drbg.seeding import credit
    genuine = credit.machine_facts
    credit.machine_facts = lambda: genuine().replace(l2_kib=1, counter_step_ns=3 * genuine().counter_step_ns)
    class Slow(importlib.abc.MetaPathFinder):
        def find_spec(self, name, path, target=None):
            if name == "esoteric_drbg.{part}":
                began.set()
                time.sleep(0.5)
    began = threading.Event()
    sys.meta_path.insert(0, Slow())
    thread = threading.Thread(target=lambda: token_bytes(8))
    thread.start()
    assert began.wait(20)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        importlib.import_module("esoteric_drbg.{part}")  # a token takes long where a busy machine shows little
        os.write(writer, b"loaded")
        os._exit(0)
    os.close(writer)
    print(os.read(reader, 99) if select.select([reader], [], [], 30)[0] else "hangs")
    os.kill(child, 9)
    sys.stdout.flush()
    os._exit(0)
    """
    assert run(code) == "b'loaded'\n"


def test_the_gate_begins_no_import_that_a_fork_does_not_wait_for() -> None:
    code = """
    import importlib.abc, sys
    from esoteric_drbg import token_bytes
    from esoteric_drbg.seeding import credit
    from esoteric_drbg.process.forks import loading
    genuine = credit.machine_facts
    credit.machine_facts = lambda: genuine().replace(l2_kib=1, counter_step_ns=3 * genuine().counter_step_ns)
    class Watch(importlib.abc.MetaPathFinder):
        def find_spec(self, name, path, target=None):
            if not loading._held:
                print(name)
    sys.meta_path.insert(0, Watch())
    token_bytes(8)
    print("done")
    """
    assert run(code) == "done\n"


def interrupted(work: Callable[[], object], number: int, name: str) -> bool:
    """Raise KeyboardInterrupt where the interpreter does: after the n-th call of that name in C, or as it begins."""
    left = number

    def profile(frame: FrameType, event: str, function: Any) -> None:
        nonlocal left
        called = function.__name__ if event == "c_return" else frame.f_code.co_name if event == "call" else ""
        if called == name and "esoteric_drbg" in frame.f_globals["__name__"]:
            left -= 1
            if left == 0:
                sys.setprofile(None)
                raise KeyboardInterrupt

    sys.setprofile(profile)
    try:
        work()
    except KeyboardInterrupt:
        return True
    finally:
        sys.setprofile(None)
    return False


@pytest.mark.parametrize("name", ["acquire", "extend", "release", "take", "take_lock", "get"])
def test_a_ctrl_c_right_after_a_lock_was_taken_leaves_it_free(name: str) -> None:
    lock = ProcessLock()

    def hold() -> None:
        held = lock.take()
        try:
            pass
        finally:
            held.release()

    assert interrupted(hold, 1, name) is (name != "release")  # which nothing of the package calls here
    free: list[bool] = []
    thread = threading.Thread(target=lambda: free.append(lock.acquire(timeout_s=0.1) is not None))
    thread.start()
    thread.join()
    assert free == [True]


def interrupted_everywhere(work: Callable[[], object], but: frozenset[str] = frozenset()) -> Iterator[int]:
    """Raise KeyboardInterrupt at the first, second, ... place where it may come in the package, one at a time."""
    for number in range(1, 10_000):
        left = number

        def profile(frame: FrameType, event: str, function: Any) -> None:
            nonlocal left
            name = frame.f_code.co_name if event == "call" else ""
            if event in ("call", "c_return") and "esoteric_drbg" in frame.f_globals["__name__"] and name not in but:
                left -= 1
                if left == 0:
                    sys.setprofile(None)
                    raise KeyboardInterrupt

        sys.setprofile(profile)
        try:
            work()
        except KeyboardInterrupt:
            pass
        else:
            return
        finally:
            sys.setprofile(None)
        yield number
    raise AssertionError("it never came to an end")


def in_another_thread(work: Callable[[], object]) -> list[object]:
    done: list[object] = []
    thread = threading.Thread(target=lambda: done.append(work()), daemon=True)
    thread.start()
    thread.join(5)
    return done


def test_a_ctrl_c_anywhere_in_the_reference_sampler_leaves_it_free() -> None:
    sampler = TimingSampler("clock")
    places = 0
    for places in interrupted_everywhere(lambda: sampler.read_symbols(3)):  # noqa: B007
        assert len(sampler.read_symbols(1)) == 1
    assert places > 10


def test_a_ctrl_c_as_the_reference_word_stream_is_locked_leaves_it_free() -> None:
    words = WordStream(lambda buffer: None, lambda _, error: error, 64)

    def work() -> None:
        words.acquire()
        sys.setprofile(None)
        words.release()

    def taken() -> bool:
        if free := words.acquire(timeout=1):
            words.release()
        return free

    places = 0
    for places in interrupted_everywhere(work):  # noqa: B007
        assert in_another_thread(taken) == [True]
    assert places > 5


@pytest.mark.parametrize(
    "make",
    [HashDrbgState, lambda: HmacDrbgState("sha256"), lambda: CtrDrbgState("aes256")],
    ids=["hash", "hmac", "ctr"],
)
def test_a_handler_anywhere_in_a_reference_request_is_refused_or_answered(make: Callable[[], Any]) -> None:
    state = make()
    state.instantiate(bytes(48), b"")
    outputs: list[bytes] = []
    refused: list[str] = []
    for number in range(1, 1000):
        left = number

        def handler(frame: FrameType, event: str, function: Any) -> None:
            nonlocal left
            left -= event in ("call", "c_return") and "esoteric_drbg" in frame.f_globals["__name__"]
            if left == 0:
                left = -1
                try:
                    outputs.append(state.generate(16))
                except DRBGStateError as error:
                    refused.append(str(error))

        sys.setprofile(handler)
        try:
            outputs.append(state.generate(16))
        finally:
            sys.setprofile(None)
        if left > 0:
            break
    assert len(refused) > 5
    assert all("re-entered" in reason for reason in refused)
    assert len(set(outputs)) == len(outputs) > number


@pytest.mark.timeout(120, method="thread")  # the other method wants the same timer
def test_many_ctrl_c_leave_an_instance_to_the_other_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    rbg = RBG2Instance(EntropyPool([create("memory_timing")]), profile=EACH_A_SEED)
    rbg.token_bytes(32)
    moments = random.Random(11)

    def handler(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, handler)
    try:
        until, count = time.monotonic() + 3, 0
        while time.monotonic() < until and count < 400:
            try:
                signal.setitimer(signal.ITIMER_REAL, moments.uniform(1e-5, 2e-3))
                since = time.monotonic()
                while time.monotonic() < since + 1:
                    rbg.token_bytes(32)
            except KeyboardInterrupt:
                count += 1
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    tokens: list[bytes] = []
    thread = threading.Thread(target=lambda: tokens.append(rbg.token_bytes(32)), daemon=True)
    thread.start()
    thread.join(20)
    assert [len(token) for token in tokens] == [32]
    assert in_one_process(lambda: rbg.token_bytes(32)) != tokens[0]


def test_a_reserve_that_was_interrupted_is_called_again() -> None:
    calls: list[int] = []

    def reserve() -> list[Any]:
        calls.append(1)
        if len(calls) == 1:
            raise KeyboardInterrupt
        return [create("memory_timing"), create("rdseed")]

    pool = EntropyPool([create("rdseed")])
    pool._in_reserve = reserve
    with pytest.raises(KeyboardInterrupt):
        pool.get_entropy(256)
    assert len(pool.get_entropy(256)) == 32
    assert len(calls) == 2


def test_health_tests_that_were_interrupted_begin_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """The reference counts in Python: half counted, it raised IndexError at every later request."""
    pool = EntropyPool([create("memory_timing")])
    pool.seed_material(256)
    (slot,) = pool._slots.values()
    before = slot.monitor

    def test(symbols: bytes) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(before, "test", test)
    with pytest.raises(KeyboardInterrupt):
        pool.seed_material(256)
    assert slot.monitor is not before
    assert pool.seed_material(256)[1].credited_bits >= 256
