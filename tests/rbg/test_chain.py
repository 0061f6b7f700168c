"""DRBG chains (SP 800-90C RBGC): seeds come from the parent, strength never grows, nothing seeds itself."""

from __future__ import annotations

import copy
import os
import pickle
import threading

import pytest

from esoteric_drbg import SP800_90A, EntropyPool, RBG2Instance, RBGCInstance, errors, process_instance
from esoteric_drbg.rbg.profiles import Profile


@pytest.fixture
def root() -> RBG2Instance:
    return RBG2Instance(EntropyPool.auto(plugins=False))


def test_every_seed_of_a_child_is_one_request_to_the_parent(
    root: RBG2Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    generate = root.generate

    def counting(n_bytes: int) -> bytes:
        asked.append(n_bytes)
        return generate(n_bytes)

    monkeypatch.setattr(root, "generate", counting)
    child = RBGCInstance(root)
    assert asked == []
    child.token_bytes(32)
    assert asked == [48]  # 3/2 of 256 bits
    child.reseed()
    assert asked == [48, 32]
    child.token_bytes(3 * (1 << 14))
    assert asked == [48, 32, 32, 32]
    status = child.status()
    assert status["construction"] == "RBGC"
    assert status["depth"] == 1
    assert root.status()["seeds"] == 1


def test_chains_of_chains(root: RBG2Instance) -> None:
    chain: list[RBG2Instance | RBGCInstance] = [root]
    for _ in range(5):
        chain.append(RBGCInstance(chain[-1]))
    outputs = {instance.token_bytes(32) for instance in chain for _ in range(50)}
    assert len(outputs) == 300
    assert repr(chain[-1]) == "<RBGCInstance Hash_DRBG SHA-256, sp800_90c, depth 5>"
    assert chain[5].parent is chain[4]  # type: ignore[union-attr]


def test_strength_never_grows() -> None:
    weak = Profile(name="weak", security_strength=128, seed_output_bits=1 << 17)
    root = RBG2Instance(EntropyPool.auto(plugins=False), profile=weak)
    with pytest.raises(errors.InvalidInputError, match="never grows stronger"):
        RBGCInstance(root)
    child = RBGCInstance(root, profile=weak)
    child.token_bytes(1)
    assert child.status()["security_strength"] == 128
    with pytest.raises(errors.InvalidInputError, match="the parent offers 128 bits"):
        RBGCInstance(child)
    strong = RBG2Instance(EntropyPool.auto(plugins=False))
    RBGCInstance(strong, profile=weak).token_bytes(1)


def test_an_instance_never_seeds_itself(root: RBG2Instance) -> None:
    first = RBGCInstance(root)
    second = RBGCInstance(first)
    with pytest.raises(AttributeError):
        first.parent = second  # type: ignore[misc]
    first._parent = second  # what no interface offers
    for instance in (first, second):
        with pytest.raises(errors.DRBGStateError, match="never seeds itself"):
            instance.token_bytes(1)
    for nothing in (None, b"", object(), EntropyPool()):
        with pytest.raises(errors.InvalidInputError, match="expected an RBG2Instance"):
            RBGCInstance(nothing)  # type: ignore[arg-type]


def test_a_root_without_entropy_stops_the_chain() -> None:
    child = RBGCInstance(RBG2Instance(EntropyPool()))
    with pytest.raises(errors.EntropyUnavailableError):
        child.token_bytes(1)
    with pytest.raises(errors.EntropyUnavailableError):
        RBGCInstance(child).generate(1)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_forked_children_of_a_chain_have_their_own_bytes(root: RBG2Instance) -> None:
    leaf = RBGCInstance(RBGCInstance(root))
    leaf.token_bytes(1)
    seen = []
    for _ in range(3):
        reader, writer = os.pipe()
        if os.fork() == 0:
            os.write(writer, leaf.token_bytes(32))
            os._exit(0)
        os.close(writer)
        with os.fdopen(reader, "rb") as pipe:
            seen.append(pipe.read())
        os.wait()
    seen.append(leaf.token_bytes(32))
    assert len(set(seen)) == 4
    assert {len(item) for item in seen} == {32}


def test_threads_share_a_child() -> None:
    child = RBGCInstance(process_instance(), profile=SP800_90A)
    outputs: list[bytes] = []
    threads = [
        threading.Thread(target=lambda: outputs.extend(child.token_bytes(32) for _ in range(500))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(outputs)) == 4000


def test_a_child_leaves_its_error_state_by_instantiating_anew(root: RBG2Instance) -> None:
    child = RBGCInstance(root)
    child.token_bytes(1)
    child._core.drbg.fail("a fault of memory")
    with pytest.raises(errors.DRBGStateError, match=r"call instantiate\(\)"):
        child.token_bytes(1)
    child.instantiate()
    assert len(child.token_bytes(1)) == 1


def test_neither_copied_nor_pickled(root: RBG2Instance) -> None:
    child = RBGCInstance(root)
    for attempt in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(errors.CloneRefusedError):
            attempt(child)
    child.token_bytes(1)
    child.uninstantiate()
    assert not child.status()["instantiated"]
    assert len(child.generate(5, additional_input=b"more")) == 5
    with pytest.raises(errors.InvalidInputError):
        child.generate(-1)
