"""Imported before everything else: where this process is the command line, Ctrl-C is the command's own from here on.

The command is ``esoteric-drbg`` or ``python -m esoteric_drbg``; a program that imports the package keeps its signals.
What happens before the first line of this file, the start of the interpreter, is beyond any package's reach.
"""

import os
import sys


def is_command(argv: list[str], orig_argv: list[str]) -> bool:
    """Whether an interpreter that was started so runs the command line.

    Parameters
    ----------
    argv, orig_argv : list of str
        Of :mod:`sys`. While ``python -m NAME`` looks for its module, the former begins with ``-m``, and NAME is before
        its other elements in the latter, perhaps behind options of one letter (``-ImNAME``).
    """
    if not argv:
        return False
    if argv[0] != "-m":
        return os.path.basename(argv[0]) == "esoteric-drbg"  # noqa: PTH119 - pathlib is not loaded yet
    name = orig_argv[-len(argv)]
    return name == "esoteric_drbg" or (name.startswith("-") and name.endswith("mesoteric_drbg"))


if is_command(sys.argv, sys.orig_argv):
    try:
        from esoteric_drbg.process.interrupts import exit_at_once

        exit_at_once()
    except KeyboardInterrupt:
        os._exit(130)
