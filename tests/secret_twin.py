"""A reference state that tells every value that its secrets have had."""

from __future__ import annotations

import hashlib
from typing import Any

from esoteric_drbg.kernels.reference import hash_drbg
from esoteric_drbg.kernels.table import reference


def secret(label: str, n_bytes: int) -> bytes:
    """Return bytes that occur nowhere else."""
    return hashlib.shake_256(label.encode()).digest(n_bytes)


class Twin:
    """The reference kernel, which tells every value that its secrets have had."""

    def __init__(self, mechanism: str, primitive: str, derivation: str) -> None:
        self.seen: dict[str, bytes] = {}
        if (mechanism, primitive) == ("Hash_DRBG", "sha256"):
            self.state: Any = self.telling(hash_drbg.HashDrbgState)("sha256")
        else:
            plain = reference("new_drbg_state")(mechanism, primitive, derivation == "with", 128)
            self.state = plain
            plain.__class__ = self.telling(type(plain))
        self.derivation = derivation

    def telling(self, parent: Any) -> Any:
        """Return a subclass that notes what is assigned to V, C and Key."""
        twin = self

        class Telling(parent):  # type: ignore[misc]
            def __setattr__(self, name: str, value: Any) -> None:
                super().__setattr__(name, value)
                if name in {"_v", "_c", "_key"} and value:
                    twin.note(name[1:], value)

        return Telling

    def note(self, name: str, value: int | bytes) -> None:
        data = value if isinstance(value, bytes) else value.to_bytes(getattr(self.state, "_seed_bytes", 55), "big")
        self.seen[f"{name}{len(self.seen)}"] = data

    def now(self) -> dict[str, bytes]:
        """Return the secrets of the state as it is."""
        kept, self.seen = self.seen, {}
        for name in ("_v", "_c", "_key"):
            value = getattr(self.state, name, None)
            if value:
                self.note(name[1:], value)
        now, self.seen = self.seen, kept
        return now
