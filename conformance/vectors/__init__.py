"""Vectors of the DRBG mechanisms: ACVP and CAVP."""
