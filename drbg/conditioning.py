"""Conditioning with Hash_df (SP 800-90A 10.3.1, SP 800-90B 3.1.5), as :mod:`esoteric_drbg.seeding` uses it."""

from esoteric_drbg.seeding.conditioning import FULL_ENTROPY_MARGIN_BITS, conditioned_credit, hash_df, output_entropy

__all__ = ["FULL_ENTROPY_MARGIN_BITS", "conditioned_credit", "hash_df", "output_entropy"]
