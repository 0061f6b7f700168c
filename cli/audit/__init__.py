"""``esoteric-drbg audit`` and ``self-assess``: sources of this machine."""
