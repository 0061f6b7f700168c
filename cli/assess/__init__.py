"""``esoteric-drbg assess``: samples in files, restarts and conditioning."""
