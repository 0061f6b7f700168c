"""Entry point of ``esoteric-drbg``: the command group and the handling of errors, pipes and Ctrl-C."""

from __future__ import annotations

import atexit
import gc
import os
import sys

import click

from esoteric_drbg.cli.lazy_commands import LazyCommands
from esoteric_drbg.cli.output import fail
from esoteric_drbg.errors import EsotericDRBGError
from esoteric_drbg.extras import need, or_its_extra
from esoteric_drbg.version import __version__

__all__ = ["cli", "main"]


_COMMANDS = LazyCommands(
    {
        "assess": "assess.command:assess",
        "audit": "audit.command:audit",
        "bench": "sources:bench",
        "conformance": "conformance:conformance",
        "esv": "esv:esv",
        "info": "info:info",
        "plan": "plan:plan",
        "pool": "randomness:pool",
        "probe": "sources:probe",
        "record": "record:record",
        "report": "report:report",
        "scan": "sources:scan",
        "self-assess": "audit.self_assess:self_assess",
        "selftest": "selftest:selftest",
        "stream": "randomness:stream",
    }
)


@click.group(commands=_COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="esoteric-drbg")
def cli() -> None:
    """Auditable randomness from a computer's own noise.

    Noise sources, health tests and a Hash_DRBG designed to SP 800-90A, B and C. Not validated: there is no
    certificate.
    """


def _tune_for_one_command() -> None:
    """Switch off what is useful only to a long-lived process, which saves some 50 ms of an assessment."""
    # numpy's BLAS would start a thread for each processor, which waits actively for work that no command has.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # Imported modules stay until the end: garbage collection finds nothing in them, neither on import nor at exit.
    gc.set_threshold(50_000)
    atexit.register(gc.freeze)


def _require_streams() -> None:
    """Open what was closed and is not needed, so that no file gets its descriptor; refuse a closed standard output."""
    closed = sys.stdout is None
    for descriptor, stream in enumerate((sys.stdin, sys.stdout, sys.stderr)):
        if stream is None:
            opened = os.open(os.devnull, os.O_RDWR)  # the lowest free one
            if opened != descriptor:
                os.dup2(opened, descriptor)
                os.close(opened)
    if sys.stderr is None:
        sys.stderr = os.fdopen(2, "w", closefd=False, encoding="utf-8")
    if closed:
        fail("standard output is closed")


def main() -> None:
    """Run the command line; errors of our own family become one line and exit code 2."""
    _require_streams()
    _tune_for_one_command()
    try:
        need("rich")  # before minutes of work whose result cannot be shown
        # Not cli.main(): it answers a closed pipe with exit code 1 and Ctrl-C with an empty line.
        with cli.make_context("esoteric-drbg", sys.argv[1:]) as context:
            cli.invoke(context)
        sys.stdout.flush()
    except click.exceptions.Exit as done:
        raise SystemExit(done.exit_code) from None
    except KeyboardInterrupt:
        # All blocks have been left by now. A normal exit would wait for threads that are still counting.
        os._exit(130)
    except click.Abort:
        raise SystemExit(130) from None
    except click.ClickException as error:
        error.show()
        raise SystemExit(error.exit_code) from None
    except BrokenPipeError:
        # The reader closed the pipe: end quietly, and keep the interpreter from flushing into it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(0) from None
    except EsotericDRBGError as error:
        fail(str(error))
    except MemoryError:
        fail("there is not enough memory")
    except ModuleNotFoundError as error:
        missing = or_its_extra(error)
        if missing is error:
            raise
        fail(str(missing))
    except OSError as error:
        fail(f"{error.strerror or error}" + (f": {error.filename}" if error.filename else ""))
