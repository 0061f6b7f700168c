"""A QEMU guest with a camera, a sound card, a TPM, a hardware RNG and Bluetooth, for tests of what reads them.

What its devices deliver is synthetic: pseudo-random test patterns and emulators. It never is evidence of entropy.
"""
