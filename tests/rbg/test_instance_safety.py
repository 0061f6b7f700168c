"""Instances that cannot be misused: faults of memory, clones, threads, signals, interpreters, the end of a process."""

from __future__ import annotations

import ctypes
import hashlib
import mmap
import os
import signal
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import FrameType

import pytest
from fakes import CREDITED, Fake, simulated
from process_memory import slot_of

from esoteric_drbg import SP800_90A, EntropyPool, RBG2Instance, errors
from esoteric_drbg.kernels import kernel_info
from esoteric_drbg.kernels.reference.hash_drbg import HashDrbgState as ReferenceState
from esoteric_drbg.process import vm_generation
from esoteric_drbg.rbg import core, lanes

RUST = kernel_info().name == "rust"


@pytest.fixture
def rbg() -> RBG2Instance:
    instance = RBG2Instance(EntropyPool.auto(plugins=False))
    instance.token_bytes(32)
    return instance


def flip(instance: RBG2Instance) -> None:
    """Change one bit of V, as a fault of memory would."""
    state = instance._core.state
    if isinstance(state, ReferenceState):
        state._v ^= 1 << 200
    else:
        memory, changed = slot_of(lambda: instance.token_bytes(32))
        assert len(changed) > 48
        memory[changed[len(changed) // 2]] ^= 4


@pytest.mark.parametrize("request_bytes", [32, 40_000, 100_000])
def test_a_flipped_bit_is_an_error_state_that_only_instantiating_leaves(rbg: RBG2Instance, request_bytes: int) -> None:
    flip(rbg)
    with pytest.raises(errors.StateIntegrityError, match="changed by itself"):
        rbg.token_bytes(request_bytes)
    for _ in range(2):
        for call in (rbg.token_bytes, rbg.reseed, lambda: rbg.generate(100), lambda: rbg.readinto(bytearray(9))):
            with pytest.raises(errors.DRBGStateError, match=r"call instantiate\(\)"):
                call()
        rbg.uninstantiate()
    rbg.instantiate()
    assert len(rbg.token_bytes(request_bytes)) == request_bytes


def test_a_failed_self_test_is_an_error_state_too(rbg: RBG2Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    from esoteric_drbg.mechanisms import base as mechanism
    from esoteric_drbg.mechanisms.known_answers import KNOWN_ANSWERS

    monkeypatch.setattr(mechanism, "_tested", {})
    monkeypatch.setitem(KNOWN_ANSWERS, "Hash_DRBG SHA-256", ("", ""))
    rbg.uninstantiate()
    with pytest.raises(errors.SelfTestError):
        rbg.token_bytes(1)
    with pytest.raises(errors.DRBGStateError, match=r"call instantiate\(\)"):
        rbg.token_bytes(1)
    monkeypatch.undo()
    rbg.instantiate()
    assert len(rbg.token_bytes(1)) == 1


def clone(source: RBG2Instance, target: RBG2Instance) -> tuple[ctypes.Array[ctypes.c_ubyte], bytes] | None:
    """Give an instance the state of another one, as a restored snapshot has it. Return what to restore."""
    if isinstance(source._core.state, ReferenceState):
        assert isinstance(target._core.state, ReferenceState)
        for name in ("_v", "_c", "_reseed_counter", "_budget_bits", "_seeded_in", "_mixed_at_ns", "_seal"):
            setattr(target._core.state, name, getattr(source._core.state, name))
        return None
    (ours, _), (theirs, _) = (slot_of(partial(item.token_bytes, 32)) for item in (source, target))
    kept = bytes(theirs)
    ctypes.memmove(theirs, ours, len(theirs))
    return theirs, kept


@pytest.mark.parametrize("mixing", [True, False])
def test_clones_part_as_soon_as_kernel_randomness_is_due(rbg: RBG2Instance, mixing: bool) -> None:
    """With mixing switched off the clones agree: so the test can fail."""
    twin = RBG2Instance(EntropyPool.auto(plugins=False))
    twin.token_bytes(32)
    for instance in (rbg, twin):
        instance._core.state.mix_every(0 if mixing else 1 << 62)
    kept = clone(rbg, twin)
    try:
        same = rbg.token_bytes(32) == twin.token_bytes(32)
    finally:
        if kept is not None:
            ctypes.memmove(*kept, len(kept[1]))
    assert same is not mixing


def test_mixing_happens_once_in_an_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    genuine = core._uncredited_bytes

    def counting() -> bytes:
        calls.append(1)
        return genuine()

    rbg = RBG2Instance(EntropyPool.auto(plugins=False), profile=SP800_90A)
    rbg.token_bytes(1)
    monkeypatch.setattr(core, "_uncredited_bytes", counting)
    rbg._core.state.mix_every(40_000_000)
    began, requests = time.monotonic(), 0
    while len(calls) < 3 and time.monotonic() - began < 60:
        rbg.token_bytes(1)
        requests += 1
    # A clock that is rough by a factor of three: at least 13 ms between two mixings, whatever the machine does.
    assert 3 <= len(calls) <= 1 + (time.monotonic() - began) / 0.013
    assert requests > len(calls)


def test_a_changed_vm_generation_costs_a_seed_at_once(
    rbg: RBG2Instance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert rbg.status()["vm_generation"] == "not exposed by this kernel" or not RUST
    device = tmp_path / "sysgenid"
    device.write_bytes((7).to_bytes(4, "little") + bytes(mmap.PAGESIZE - 4))
    monkeypatch.setenv("ESOTERIC_DRBG_VM_GENERATION", str(device))
    assert vm_generation.vm_generation() == 7
    watched = RBG2Instance(EntropyPool.auto(plugins=False))
    watched._core.state.mix_every(0)
    watched.token_bytes(1)
    watched.token_bytes(1)
    assert (watched.status()["vm_generation"], watched.seeds) == (7, 1)
    with device.open("r+b") as file:
        file.write((8).to_bytes(4, "little"))
    watched.token_bytes(1)
    assert (watched.status()["vm_generation"], watched.seeds) == (8, 2)
    watched.token_bytes(1)
    assert watched.seeds == 2


def test_64_threads_never_share_a_byte_nor_exceed_a_budget() -> None:
    instance = RBG2Instance(lambda: EntropyPool.auto(plugins=False))
    sizes = (16, 1000, 17_000, 40_000) if RUST else (16, 1000, 17_000)
    tokens: list[bytes] = []
    drawn: list[int] = []

    def work(index: int) -> None:
        for turn in range(12):
            token = instance.token_bytes(sizes[(index + turn) % len(sizes)])
            drawn.append(len(token))
            tokens.append(token[:16])

    threads = [threading.Thread(target=work, args=(index,)) for index in range(64)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(tokens)) == len(tokens) == 64 * 12
    status = instance.status()
    assert sum(drawn) <= status["seeds"] * (1 << 14)
    assert 1 <= status["lanes"] <= lanes.MOST_LANES


def test_busy_lanes_have_seeds_of_their_own() -> None:
    instance = RBG2Instance(lambda: EntropyPool.auto(plugins=False))
    instance.token_bytes(1)
    lock = instance._core.lock.take()
    try:
        answers: list[bytes] = []
        thread = threading.Thread(target=lambda: answers.append(instance.token_bytes(50_000)))
        thread.start()
        thread.join(20)
    finally:
        lock.release()
    if lanes.MOST_LANES > 1:
        assert len(answers) == 1
        assert instance.status()["lanes"] == 2
        assert instance._lanes.others[0].source is not instance.pool
        assert instance._lanes.others[0].seeds >= 4
    single = RBG2Instance(EntropyPool.auto(plugins=False))
    assert single._lanes.free_lane() is None


def with_a_lane() -> tuple[RBG2Instance, core.RBGCore[EntropyPool]]:
    """Return an instance that has another lane beside its first one, and the lane."""
    instance = RBG2Instance(lambda: EntropyPool.auto(plugins=False), profile=SP800_90A)
    instance.token_bytes(1)
    lock = instance._core.lock.take()
    try:
        thread = threading.Thread(target=lambda: instance._lanes._answer(9))
        thread.start()
        thread.join()
    finally:
        lock.release()
    return instance, instance._lanes.others[0]


@pytest.mark.skipif(lanes.MOST_LANES < 2, reason="one processor, one lane")
def test_instantiating_anew_leaves_the_error_state_of_every_lane() -> None:
    instance, lane = with_a_lane()
    lane.drbg.fail("a fault of memory")
    with pytest.raises(errors.DRBGStateError, match=r"call instantiate\(\)"):
        lane.state.token_bytes(8)
    instance.instantiate()
    assert len(lane.state.token_bytes(8)) == 8


@pytest.mark.skipif(lanes.MOST_LANES < 2, reason="one processor, one lane")
def test_every_lane_owes_the_seed_of_a_clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A chain takes its seeds from whichever lane is free: none gives what the clone's twin would give too."""
    device = tmp_path / "sysgenid"
    device.write_bytes((7).to_bytes(4, "little") + bytes(mmap.PAGESIZE - 4))
    monkeypatch.setenv("ESOTERIC_DRBG_VM_GENERATION", str(device))
    instance, lane = with_a_lane()
    for each in (instance._core, lane):
        each.state.mix_every(1 << 62)
    lane.state.token_bytes(8)
    assert (instance.seeds, lane.seeds, instance.part_from_clone()) == (1, 1, False)
    with device.open("r+b") as file:
        file.write((8).to_bytes(4, "little"))
    assert instance.part_from_clone()
    lane.state.token_bytes(8)
    assert (instance.seeds, lane.seeds) == (2, 2)
    lane.state.token_bytes(8)
    assert lane.seeds == 2


def side_by_side(work: Callable[[], object]) -> float:
    """Return how many times as much two threads do as one, in the same time."""

    def seconds(n_threads: int) -> float:
        threads = [threading.Thread(target=work) for _ in range(n_threads)]
        began = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return time.perf_counter() - began

    return 2 * seconds(1) / seconds(2)


@pytest.mark.slow
@pytest.mark.skipif((os.cpu_count() or 1) < 2 or not RUST, reason="needs two CPUs and the Rust kernels")
def test_two_threads_draw_more_than_one() -> None:
    """Without lanes two threads do no more than one. What two are worth at this moment, a hash function tells."""
    from esoteric_drbg import token_bytes

    data = bytes(1 << 24)
    ours, control = [], []
    side_by_side(lambda: token_bytes(1 << 22))
    for _ in range(20):
        control.append(side_by_side(lambda: hashlib.sha256(data)))
        ours.append(side_by_side(lambda: token_bytes(1 << 22)))
        if ours[-1] > 1.15:
            return
    if statistics.median(control) < 1.5:
        pytest.skip(f"no second processor was free: two threads that hash did {statistics.median(control):.2f} as much")
    raise AssertionError((ours, control))


def test_readinto(rbg: RBG2Instance) -> None:
    buffer = bytearray(70_000)
    assert rbg.readinto(buffer) == 70_000
    assert len({bytes(buffer[begin : begin + 16]) for begin in range(0, 69_984, 16)}) == 4374
    part = memoryview(buffer)[10:20]
    rest = bytes(buffer[20:])
    assert rbg.readinto(part) == 10
    assert bytes(buffer[20:]) == rest
    assert rbg.readinto(bytearray()) == 0
    for wrong in (b"read-only", memoryview(bytearray(10))[::2]):
        with pytest.raises(errors.InvalidInputError, match="writable, contiguous"):
            rbg.readinto(wrong)  # type: ignore[arg-type]


def test_readinto_leaves_zeros_where_entropy_runs_out(rbg: RBG2Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    def dry(bits: int) -> tuple[bytes, None]:
        raise errors.EntropyUnavailableError("dry")

    monkeypatch.setattr(rbg.pool, "seed_material", dry)
    buffer = bytearray(b"x" * 100_000)
    with pytest.raises(errors.EntropyUnavailableError):
        rbg.readinto(buffer)
    assert buffer == bytes(100_000)


@pytest.fixture
def timer() -> Iterator[None]:
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)


@pytest.mark.skipif(not (hasattr(signal, "setitimer") and RUST), reason="needs interval timers and the Rust kernels")
def test_signal_handlers_draw_in_the_middle_of_requests(timer: None) -> None:
    instance = RBG2Instance(lambda: EntropyPool.auto(plugins=False), profile=SP800_90A)
    tokens: list[bytes] = []

    refused: list[str] = []

    def handler(number: int, frame: FrameType | None) -> None:
        try:
            tokens.append(instance.token_bytes(32))
            answered.append(number)
        except errors.DRBGStateError as error:  # in the middle of the first seed
            refused.append(str(error))

    answered: list[int] = []

    signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
    began = time.monotonic()
    while len(answered) < 200 and time.monotonic() - began < 60:
        tokens.append(instance.token_bytes(30_000)[:32])
        tokens.append(instance.token_bytes(32))
    signal.setitimer(signal.ITIMER_REAL, 0)
    assert len(set(tokens)) == len(tokens) >= 200
    assert len(answered) >= 200
    assert len(refused) < len(answered)
    assert all("asks again later" in text for text in refused)


AT_THE_END = {
    "atexit": "import atexit; atexit.register(lambda: print(len(esoteric_drbg.token_bytes(32))))",
    "del": "class Late:\n    def __del__(self): print(len(esoteric_drbg.token_bytes(32)))\nlate = Late()",
    "daemon": (
        "import threading\n"
        "def draw():\n    while True: esoteric_drbg.token_bytes(50_000)\n"
        "for _ in range(3): threading.Thread(target=draw, daemon=True).start()\n"
        "import time; time.sleep(0.05); print(32)"
    ),
}


@pytest.mark.parametrize("what", sorted(AT_THE_END) if RUST else ["atexit", "del"])
def test_the_end_of_the_interpreter(what: str) -> None:
    code = f"import esoteric_drbg\nesoteric_drbg.token_bytes(1)\n{AT_THE_END[what]}\n"
    for _ in range(3):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
        assert (done.returncode, done.stdout.strip()) == (0, "32"), done.stderr


def test_subinterpreters_refuse_or_work() -> None:
    """PyO3 modules load in one interpreter: a second one says so, or runs the reference kernels; it never crashes."""
    code = (
        "try:\n    import _xxsubinterpreters as si\n"
        "except ImportError:\n"
        "    try:\n        import _interpreters as si\n"
        "    except ImportError:\n        raise SystemExit(77)\n"
        "import esoteric_drbg\n"
        "esoteric_drbg.token_bytes(1)\n"
        "new = si.create()\n"
        "inner = '''\n"
        "try:\n    import esoteric_drbg\n    answer = f'works {len(esoteric_drbg.token_bytes(32))}'\n"
        "except ImportError as error:\n    answer = f'refused: {error}'\n"
        "print(answer, flush=True)\n"
        "'''\n"
        "(getattr(si, 'run_string', None) or si.exec)(new, inner)\n"
        "si.destroy(new)\n"
        "print(len(esoteric_drbg.token_bytes(32)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    if done.returncode == 77:
        pytest.skip("this Python has no subinterpreters module")
    assert done.returncode == 0, done.stderr
    first, last = done.stdout.split("\n")[:2]
    assert first == "works 32" or first.startswith("refused:"), done.stdout
    assert last == "32"


class SelfDrawing(Fake):
    """A source that draws from the instance it seeds."""

    info = simulated("self_drawing", bounded=True, claim=CREDITED)

    def __init__(self) -> None:
        super().__init__()
        self.instance: RBG2Instance | None = None
        self.refused = 0

    def read_raw(self, n_samples: int, *, deadline_s: float | None = None) -> bytes:
        assert self.instance is not None
        try:
            return self.instance.token_bytes(n_samples)
        except errors.EsotericDRBGError:
            self.refused += 1
            raise


def test_an_instance_is_never_seeded_by_its_own_output() -> None:
    source = SelfDrawing()
    source.instance = RBG2Instance(EntropyPool([source], deadline_s=0.3))
    # The read, in a thread of its own, waits for the instance that waits for it, and is given up.
    with pytest.raises(errors.EntropyUnavailableError, match=r"self_drawing: did not return within 0\.3 s"):
        source.instance.token_bytes(32)
    until = time.monotonic() + 30
    while not source.refused and time.monotonic() < until:
        time.sleep(0.01)
    assert source.refused == 1
