"""Recorded operation sequences of DRBGs, played through the functions of SP 800-90A section 9."""

from __future__ import annotations

import hashlib
from collections import deque
from typing import Any

from esoteric_drbg.mechanisms.base import DRBG


def play(drbg: DRBG, inputs: deque[bytes], operations: list[dict[str, Any]]) -> None:
    """Do every operation, with what it says in ``inputs`` as entropy input, and compare every output."""
    for operation in operations:
        data = {
            key: bytes.fromhex(operation.get(key) or "")
            for key in ("entropy", "additional", "pr_entropy", "nonce", "personalization")
        }
        if operation["op"] == "instantiate":
            inputs.append(data["entropy"])
            drbg.instantiate(
                128,
                prediction_resistance=True,
                nonce=data["nonce"],
                personalization_string=data["personalization"],
            )
        elif operation["op"] == "reseed":
            inputs.append(data["entropy"])
            drbg.reseed(data["additional"])
        else:
            fresh = "pr_entropy" in operation
            if fresh:
                inputs.append(data["pr_entropy"])
            out = drbg.generate(operation["bytes"], prediction_resistance=fresh, additional_input=data["additional"])
            if "out" in operation:
                assert out.hex() == operation["out"]
            else:
                assert hashlib.sha256(out).hexdigest() == operation["out_sha256"]
                assert out.hex().startswith(operation.get("out_head", ""))
                assert out.hex().endswith(operation.get("out_tail", ""))
        assert not inputs
