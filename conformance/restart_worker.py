"""One restart: ``python -m esoteric_drbg.conformance.restart_worker NAME SAMPLES`` writes its first raw symbols."""

from __future__ import annotations

import sys

from esoteric_drbg.errors import EsotericDRBGError
from esoteric_drbg.noise_sources import registry

__all__ = ["main"]


def main(arguments: list[str]) -> int:
    """Write the first SAMPLES raw symbols of source NAME to standard output."""
    name, samples = arguments
    try:
        sys.stdout.buffer.write(registry.create(name).read_exactly(int(samples)))
    except EsotericDRBGError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
