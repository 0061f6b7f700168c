"""Mechanisms of SP 800-90A: Hash_DRBG, HMAC_DRBG and CTR_DRBG, their limits and their self-tests."""
