"""Hot functions: each has a specification in Python and, where it is built, a Rust twin of the same name.

``kernels.reference`` is the specification, in plain loops. ``kernels.fallback`` holds faster Python, which runs
without Rust where these loops are too slow.

Whether Rust or Python runs is decided once per process (:mod:`esoteric_drbg.kernels.selection`); the table that pairs
them is :mod:`esoteric_drbg.kernels.table`. Callers import a subject module (``kernels.drbg``, ``kernels.health``,
``kernels.timing``) and never see the difference, except in ``esoteric-drbg info`` and in every report's header.
"""

from esoteric_drbg.kernels.selection import KernelInfo, ending, kernel_info

__all__ = ["KernelInfo", "ending", "kernel_info"]
