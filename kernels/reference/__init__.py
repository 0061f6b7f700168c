"""The executable specification: each kernel as plain loops that follow the numbered steps of its standard.

Names are those of the standard (S, L, N, C, winner, scoreboard, correct ...). The loops of SP 800-90B 6.3 count from 1,
as the standard does: element 0 of these lists is not used. Step numbers are given as we read the text. The first lines
of a module say which steps its kernel does and where the other steps are done. Where plain loops are too slow for a
million samples, a faster kernel in ``kernels.fallback`` runs instead. :mod:`esoteric_drbg.kernels.table` pairs the
three kernels of a name, and the tests assert that they are equal.
"""
