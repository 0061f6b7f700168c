"""The command line: parses, calls, prints."""

from esoteric_drbg.cli.main import main

__all__ = ["main"]
