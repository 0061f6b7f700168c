"""The command line: parses, calls, prints. Its entry point is :func:`esoteric_drbg.__main__.main`."""
