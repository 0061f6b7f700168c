"""The executable specification: each kernel as plain loops that follow the numbered steps of its standard.

Names are the standard's (S, L, N, C, winner, scoreboard, correct ...), and the loops of SP 800-90B 6.3 count from 1 as
it does: element 0 of such a list is not used. Step numbers are by our reading. The first lines of a module say which
steps its kernel does and where the rest is done. Where plain loops are too slow for a million samples, a faster kernel
in ``kernels.fallback`` runs in their stead; :mod:`esoteric_drbg.kernels.table` pairs the three of a name, and the tests
assert that they are equal.
"""
