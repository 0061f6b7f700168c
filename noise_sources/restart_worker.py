"""One restart: ``python -m esoteric_drbg.noise_sources.restart_worker NAME SAMPLES`` writes the first raw samples.

A restart matrix (SP 800-90B 3.1.4.1) takes a thousand of these processes, so this imports nothing of the conformance
layer. A third argument, ``durations``, leaves the counters' growth out, for sources that read the kernel's counters.
"""

from __future__ import annotations

import sys

from esoteric_drbg.errors import EsotericDRBGError
from esoteric_drbg.noise_sources import registry

__all__ = ["WORD", "main"]

#: The beginning of the worker's own line on standard error.
WORD = "restart: "


def main(arguments: list[str]) -> int:
    """Write the first SAMPLES raw samples of source NAME to standard output."""
    name, samples, *options = arguments
    try:
        source = registry.create(name)
        if options:
            source.set_restart_options(*options)
        sys.stdout.buffer.write(source.read_exactly(int(samples)))
    except EsotericDRBGError as error:
        sys.stderr.write(f"{WORD}{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
