"""Random bit generators of SP 800-90C: RBG2 and RBGC constructions around Hash_DRBG."""
