"""Every way to fork, and who does it: finalisers, the collector, sources, threads, namespaces; what clones owe."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import subprocess
import sys
import textwrap
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from forking import in_child, run
from places import TESTS

from esoteric_drbg import SP800_90A, EntropyPool, RBG2Instance, RBGCInstance, errors
from esoteric_drbg.kernels.process import ProcessLocal, ProcessLock, fork_generation, in_one_process
from esoteric_drbg.mechanisms.ctr_drbg import CtrDRBG
from esoteric_drbg.mechanisms.hash_drbg import HashDRBG
from esoteric_drbg.mechanisms.hmac_drbg import HmacDRBG
from esoteric_drbg.process import vm_generation
from esoteric_drbg.process.forks import loading
from esoteric_drbg.seeding.ledger import LedgerEntry, SeedLedger

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # 3.12+: a fork beside threads is what is tested
]


def test_the_generation_is_of_this_process_alone() -> None:
    mine = fork_generation()
    assert mine == fork_generation() > 0
    theirs = in_child(lambda: str(fork_generation()).encode())
    assert int(theirs) > mine
    raw = in_child(lambda: str(fork_generation()).encode(), fork=ctypes.CDLL(None).fork)
    assert int(raw) > mine
    assert fork_generation() == mine


def test_what_is_local_to_a_process_is_made_anew_in_a_child() -> None:
    made = ProcessLocal(lambda: [fork_generation()])
    assert made.get() is made.get()
    assert int(in_child(lambda: str(made.get()[0]).encode())) > made.get()[0]


def test_a_lock_that_another_thread_holds_is_free_in_a_child() -> None:
    lock = ProcessLock()
    held, leave = threading.Event(), threading.Event()

    def hold() -> None:
        taken = lock.take()
        held.set()
        leave.wait(30)
        taken.release()

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(30)
    assert lock.acquire(timeout_s=0.1) is None

    def take() -> bytes:
        lock.take().release()
        return b"free"

    assert in_child(take) == b"free"
    leave.set()
    thread.join()
    for taken in [lock.take(), lock.take()]:  # by the same thread
        taken.release()


def test_what_a_fork_cuts_into_starts_over_in_the_child_alone() -> None:
    reader, writer = os.pipe()
    calls: list[int] = []
    child = -1

    def draw() -> int:
        nonlocal child
        calls.append(1)
        if len(calls) == 1:
            child = os.fork()
            if child == 0:
                raise errors.EntropyUnavailableError("what the child's frames come to does not count")
        return len(calls)

    answer = in_one_process(draw)
    if child == 0:
        os.write(writer, bytes([answer]))
        os._exit(0)
    os.waitpid(child, 0)
    assert (answer, os.read(reader, 1)) == (1, b"\x02")
    os.close(reader)
    os.close(writer)


FINALISERS = {
    "a finaliser": "class Late:\n    def __del__(self): act()\ndef arm(): Late()",
    "the collector": "import gc\ngc.callbacks.append(lambda *_: act())\ndef arm(): gc.collect(0)",
    "a signal handler": (
        "import signal\nsignal.signal(signal.SIGALRM, lambda *_: act())\n"
        "def arm(): signal.setitimer(signal.ITIMER_REAL, random.random() * 4e-4)"
    ),
}


@pytest.mark.parametrize("who", FINALISERS)
def test_forks_of_finalisers_and_handlers_at_random_moments(who: str) -> None:
    """Every token costs a seed; whoever forks stays, or returns into the seed; fresh tokens differ on both sides."""
    code = FINALISERS[who] + textwrap.dedent(
        """
        import os, random, select, signal, sys, threading, time
        from esoteric_drbg import EntropyPool, Profile, RBG2Instance
        rbg = RBG2Instance(EntropyPool.for_tokens, profile=Profile(name="each", seed_output_bits=256))
        rbg.token_bytes(32)
        pipes, ready = [], False
        def report(writer):
            try: os.write(writer, b"".join(rbg.token_bytes(32) for _ in range(2)))
            except BaseException as error: os.write(writer, repr(error).encode())
            os._exit(0)
        def act():
            global ready, mine
            if not ready: return
            ready = False
            reader, writer = os.pipe()
            if os.fork() == 0:
                signal.alarm(10)
                if random.random() < 0.5: report(writer)
                mine = writer
                return
            os.close(writer)
            pipes.append(reader)
        until, forks, bad, tokens = time.monotonic() + 90, 0, [], set()
        slots = rbg.pool._slots
        genuine = type(next(iter(slots.values()))).read_tested
        def read_tested(self, n):
            answer = genuine(self, n)
            arm()
            return answer
        type(next(iter(slots.values()))).read_tested = read_tested
        while time.monotonic() < until and forks < 60:
            ready, mine = True, None
            arm_first = random.random() < 0.3
            if arm_first: arm()
            rbg.token_bytes(32)
            if mine is not None: report(mine)
            ready = False
            fresh = {rbg.token_bytes(32) for _ in range(2)}
            while pipes:
                forks += 1
                reader = pipes.pop()
                said = b""
                while part := os.read(reader, 4096): said += part
                os.close(reader)
                try: os.waitpid(-1, 0)
                except ChildProcessError: pass
                theirs = {said[:32], said[32:64]}
                if len(said) != 64 or theirs & fresh or theirs & tokens: bad.append(said[:80])
                tokens |= theirs
            tokens |= fresh
        print(forks, bad)
        """
    )
    forks, bad = run("import random\n" + code).split(" ", 1)
    assert bad.strip() == "[]"
    assert int(forks) >= 20


def test_a_source_forks_in_the_middle_of_a_seed() -> None:
    """In a thread of its own or not, and in the child that thread is the only one."""
    code = f"""
    import os, sys
    sys.path.insert(0, {str(TESTS)!r})
    from fakes import ForkingSource
    from forking import EACH_A_SEED
    from esoteric_drbg import EntropyPool, RBG2Instance
    source = ForkingSource()
    rbg = RBG2Instance(EntropyPool([source]), profile=EACH_A_SEED)
    rbg.token_bytes(32)
    parent = os.getpid()
    for _ in range(20):
        source.forks = True
        drawn = [rbg.token_bytes(32) for _ in range(3)]
        print(os.getpid() == parent, *(token.hex() for token in drawn), flush=True)
        if os.getpid() != parent:
            os._exit(0)
        os.waitpid(source.child, 0)
    """
    lines = run(code).splitlines()
    tokens = [token for line in lines for token in line.split()[1:]]
    assert len(tokens) >= 3 * 20
    assert len(set(tokens)) == len(tokens)


@pytest.mark.parametrize("kind", [HashDRBG, HmacDRBG, CtrDRBG])
def test_a_child_with_its_parents_process_id(kind: type, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a new PID namespace, where both are process 1."""
    asked: list[int] = []

    def entropy(bits: int) -> bytes:
        asked.append(bits)
        return os.urandom(bits // 8)

    drbg = kind(entropy)
    drbg.instantiate()
    monkeypatch.setattr(os, "getpid", lambda: 1)
    for fork in (os.fork, ctypes.CDLL(None).fork):
        theirs = in_child(lambda: drbg.generate(32) + bytes([len(asked)]), fork=fork)
        assert (len(theirs), theirs[32]) == (33, len(asked) + 1)
        assert drbg.generate(32) != theirs[:32]


@pytest.mark.skipif(not sys.platform.startswith("linux") or os.geteuid() != 0, reason="needs root, for a PID namespace")
def test_new_pid_namespaces() -> None:
    """The first process of each namespace has the process id 1."""
    libc = ctypes.CDLL(None, use_errno=True)
    drbg = HashDRBG(lambda bits: os.urandom(bits // 8))
    drbg.instantiate()
    rbg = RBG2Instance(EntropyPool.for_tokens)
    rbg.token_bytes(32)

    def draw() -> bytes:
        return bytes([os.getpid() == 1]) + drbg.generate(32) + rbg.token_bytes(32)

    def nested() -> bytes:
        return b"no namespace" if libc.unshare(0x20000000) else in_child(draw)

    def outer() -> bytes:
        return b"no namespace" if libc.unshare(0x20000000) else in_child(lambda: draw() + in_child(nested))

    said = in_child(outer)
    if b"no namespace" in said:
        pytest.skip("no PID namespace can be made here")
    assert len(said) == 130, said
    first, second = said[:65], said[65:]
    assert first[0] == second[0] == 1
    assert first[1:33] != second[1:33]
    assert first[33:] != second[33:]


def test_vfork_exec_and_spawn_leave_the_parent_alone() -> None:
    rbg = RBG2Instance(EntropyPool.for_tokens)
    rbg.token_bytes(32)
    seeds = rbg.seeds
    subprocess.run([sys.executable, "-c", ""], check=True)
    pid = os.posix_spawn(sys.executable, [sys.executable, "-c", ""], os.environ)
    os.waitpid(pid, 0)
    rbg.token_bytes(32)
    assert rbg.seeds == seeds


def test_a_thread_pool_that_draws_while_its_process_forks() -> None:
    rbg = RBG2Instance(EntropyPool.for_tokens)
    tokens: list[bytes] = []
    with ThreadPoolExecutor(4) as pool:
        drawing = [pool.submit(lambda: [rbg.token_bytes(size)[-32:] for size in (32, 40_000) * 40]) for _ in range(4)]
        while not all(each.done() for each in drawing):
            said = in_child(lambda: b"".join(rbg.token_bytes(32) for _ in range(3)))
            assert len(said) == 96, said
            tokens += [said[:32], said[32:64], said[64:]]
        for each in drawing:
            tokens += each.result()
    assert len(set(tokens)) == len(tokens)


def test_a_handler_that_raises_while_a_fork_waits_leaves_nothing_held() -> None:
    """The fork waits for a part of the package to load; the exception is reported by Python, and everybody goes on."""
    code = """
    import importlib.abc, os, signal, sys, threading, time
    import esoteric_drbg
    class Slow(importlib.abc.MetaPathFinder):
        def find_spec(self, name, path, target=None):
            if name == "esoteric_drbg.seeding.pool":
                began.set()
                time.sleep(0.6)
    began = threading.Event()
    sys.meta_path.insert(0, Slow())
    def handler(*_): raise KeyboardInterrupt
    signal.signal(signal.SIGALRM, handler)
    sys.unraisablehook = lambda unraisable: None
    thread = threading.Thread(target=lambda: esoteric_drbg.token_bytes(8))
    thread.start(); began.wait()
    signal.setitimer(signal.ITIMER_REAL, 0.1)
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    thread.join(30)
    others = [threading.Thread(target=lambda: esoteric_drbg.token_bytes(8)) for _ in range(3)]
    for other in others: other.start()
    for other in others: other.join(30)
    print(thread.is_alive(), any(other.is_alive() for other in others), len(esoteric_drbg.token_bytes(8)))
    """
    assert run(code) == "False False 8\n"


def test_the_first_token_begins_no_import() -> None:
    """A child could never finish an import that a thread of its parent had begun."""
    code = """
    import sys, esoteric_drbg
    draw = esoteric_drbg.token_bytes
    before = set(sys.modules)
    draw(32); draw(50_000); esoteric_drbg.process_instance().generate(32, prediction_resistance=True)
    print(sorted(set(sys.modules) - before))
    """
    assert run(code) == "[]\n"


class Dry(EntropyPool):
    """A pool of made-up entropy that can run dry, or hand out what ledger it likes."""

    def __init__(self) -> None:
        super().__init__()
        self.dry = False
        self.ledger: Any = ...

    def seed_material(self, bits: int) -> tuple[bytes, SeedLedger]:
        if self.dry:
            raise errors.EntropyUnavailableError("dry")
        block = LedgerEntry("made_up", "made_up", bits, 1.0, "passed", bits, bits, 256, bits, bits, bits, "")
        ledger = SeedLedger(bits, bits, (block,)) if self.ledger is ... else self.ledger
        return os.urandom(bits // 8), ledger


def test_a_clone_whose_sources_are_dry_owes_its_seed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    device = tmp_path / "sysgenid"
    device.write_bytes((7).to_bytes(4, "little") + bytes(4096 - 4))
    monkeypatch.setenv("ESOTERIC_DRBG_VM_GENERATION", str(device))
    assert vm_generation.vm_generation() == 7
    pool = Dry()
    rbg = RBG2Instance(pool, profile=SP800_90A)
    rbg._core.state.mix_every(0)
    rbg.token_bytes(1)
    with device.open("r+b") as file:
        file.write((8).to_bytes(4, "little"))
    pool.dry = True
    buffer = bytearray(b"x" * 40)
    for call in (
        lambda: rbg.token_bytes(1),
        lambda: rbg.token_bytes(1),
        lambda: rbg.generate(9, additional_input=b"x"),
        lambda: rbg.readinto(buffer),
    ):
        with pytest.raises(errors.EntropyUnavailableError):
            call()
    assert buffer == bytes(40)
    pool.dry = False
    rbg.token_bytes(1)
    assert (rbg.seeds, rbg.status()["vm_generation"]) == (2, 8)
    rbg.token_bytes(1)
    assert rbg.seeds == 2


def test_a_clone_seeds_its_chain_from_the_noise_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A child's seed of a parent that has not looked yet would be the one that the twin's child gets."""
    device = tmp_path / "sysgenid"
    device.write_bytes((7).to_bytes(4, "little") + bytes(4096 - 4))
    monkeypatch.setenv("ESOTERIC_DRBG_VM_GENERATION", str(device))
    root = RBG2Instance(Dry(), profile=SP800_90A)
    middle = RBGCInstance(root)
    child = RBGCInstance(middle)
    root._core.state.mix_every(1 << 62)
    middle._core.state.mix_every(1 << 62)
    child.token_bytes(1)
    assert root.seeds == 1
    with device.open("r+b") as file:
        file.write((8).to_bytes(4, "little"))
    child._core.state.mix_every(0)
    child.token_bytes(1)
    assert (root.seeds, middle.status()["seeds"], child.status()["seeds"]) == (2, 2, 2)


@pytest.mark.parametrize(
    "ledger",
    [None, {"credited_bits": 512}, SeedLedger(384, 383, ()), SeedLedger(384, 384, ()), (384, 384, (), ())],
    ids=["none", "a dict", "too little", "no entries", "a plain tuple"],
)
def test_no_seed_without_a_ledger_that_accounts_for_it(ledger: Any) -> None:
    pool = Dry()
    pool.ledger = ledger
    rbg = RBG2Instance(pool)
    for call in (rbg.token_bytes, rbg.reseed, lambda: rbg.generate(8, prediction_resistance=True)):
        with pytest.raises(errors.EntropyUnavailableError, match="ledger"):
            call()
    pool.ledger = ...
    assert len(rbg.token_bytes(8)) == 8


def test_additional_input_is_used_once_with_prediction_resistance() -> None:
    """9.3.1: it goes into the reseed, and the request that follows has none."""
    used: list[bytes] = []
    rbg = RBG2Instance(Dry())
    rbg.token_bytes(1)
    genuine = rbg._core.drbg.generate

    def generate(n_bytes: int, *, additional_input: bytes = b"") -> bytes:
        used.append(additional_input)
        return genuine(n_bytes, additional_input=additional_input)

    rbg._core.drbg.generate = generate  # type: ignore[method-assign, assignment]
    rbg.generate(8, prediction_resistance=True, additional_input=b"once")
    rbg.generate(8, additional_input=b"once")
    assert used == [b"", b"once"]


def test_words_of_an_instance_grow_old_and_those_of_another_source_do_not(word_stream: type) -> None:
    np = pytest.importorskip("numpy")
    from esoteric_drbg import BitGenerator

    class Other:
        def token_bytes(self, n: int) -> bytes:
            return os.urandom(n)

    for source, dropped in ((RBG2Instance(EntropyPool.for_tokens), True), (Other(), False)):
        bits = BitGenerator(source, buffer_bytes=1 << 12)
        generator = np.random.Generator(bits)
        generator.random()
        assert bits._stream.buffered == (1 << 12) - 8
        time.sleep(0.05)
        generator.random()
        assert bits._stream.buffered == (1 << 12) - (8 if dropped else 16)


@pytest.mark.filterwarnings("default")
def test_numpy_draws_inside_a_source_of_numpys_own_words(word_stream: type) -> None:
    """numpy lets go of the interpreter lock in the middle of a call of ours, which is on the same stack."""
    np = pytest.importorskip("numpy")
    from esoteric_drbg import BitGenerator

    inner = np.random.Generator(BitGenerator(RBG2Instance(EntropyPool.for_tokens), buffer_bytes=64))

    class Nested:
        def token_bytes(self, n: int) -> bytes:
            inner.standard_normal(100)
            return bytes(inner.bytes(n))

    outer = np.random.Generator(BitGenerator(Nested(), buffer_bytes=64))
    for _ in range(20):
        assert len(set(outer.integers(0, 1 << 62, 200).tolist())) == 200


def test_nothing_is_registered_that_a_fork_waits_for() -> None:
    """Making and dropping thousands of instances leaves no trace, and a fork in the middle takes no lock of theirs."""
    for _ in range(200):
        RBG2Instance(EntropyPool([]))
    with contextlib.suppress(errors.EntropyUnavailableError):
        RBG2Instance(EntropyPool([])).token_bytes(1)
    gc.collect()
    began = time.monotonic()
    assert in_child(lambda: b"x") == b"x"
    assert time.monotonic() - began < 10


def test_no_load_begins_between_the_last_look_of_a_fork_and_the_fork() -> None:
    """The thread that forks may lose the interpreter in between, and a child could not finish the import."""
    began, done = threading.Event(), threading.Event()

    def load() -> None:
        began.set()
        with loading:
            done.set()

    thread = threading.Thread(target=load, daemon=True)
    loading.begin_fork()
    try:
        with loading:  # its own thread may: a signal handler of it for example
            thread.start()
            assert began.wait(20)
        assert not done.wait(0.2)
    finally:
        loading.end_fork()
    assert done.wait(20)
    thread.join(20)
    assert not loading._held
    assert not loading._forks


def test_a_load_that_has_begun_goes_on_while_a_fork_waits() -> None:
    inside, go_on, order = threading.Event(), threading.Event(), list[str]()

    def load() -> None:
        with loading:
            inside.set()
            go_on.wait(20)
            with loading:  # what is loaded loads more
                order.append("loaded")

    thread = threading.Thread(target=load)
    thread.start()
    assert inside.wait(20)
    threading.Timer(0.05, go_on.set).start()
    loading.begin_fork()
    order.append("fork")
    loading.end_fork()
    thread.join(20)
    assert order == ["loaded", "fork"]


def test_a_child_has_a_free_lock_although_a_thread_took_it_and_could_not_note_it() -> None:
    lock = loading._lock
    taken, leave = threading.Event(), threading.Event()

    def take() -> None:
        with lock:
            taken.set()
            leave.wait(30)

    thread = threading.Thread(target=take)
    thread.start()
    assert taken.wait(20)

    def load() -> bytes:
        with loading:
            return b"loaded"

    try:
        assert in_child(load) == b"loaded"
    finally:
        leave.set()
        thread.join(20)
