"""Entry point of ``esoteric-drbg``: the command group and the fate of errors, pipes and Ctrl-C."""

from __future__ import annotations

import os
import sys

import click

from esoteric_drbg.cli.assess import assess
from esoteric_drbg.cli.audit import audit
from esoteric_drbg.cli.conformance import conformance
from esoteric_drbg.cli.esv import esv
from esoteric_drbg.cli.info import info
from esoteric_drbg.cli.output import fail
from esoteric_drbg.cli.plan import plan
from esoteric_drbg.cli.randomness import pool, stream
from esoteric_drbg.cli.record import record
from esoteric_drbg.cli.report import report
from esoteric_drbg.cli.selftest import selftest
from esoteric_drbg.cli.sources import bench, probe, scan
from esoteric_drbg.errors import EsotericDRBGError
from esoteric_drbg.version import __version__

__all__ = ["cli", "main"]


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="esoteric-drbg")
def cli() -> None:
    """Auditable randomness from a computer's own noise.

    Noise sources, health tests and a Hash_DRBG designed to SP 800-90A, B and C. Not validated: there is no
    certificate.
    """


for _command in (
    scan,
    probe,
    bench,
    stream,
    pool,
    record,
    assess,
    audit,
    plan,
    report,
    esv,
    conformance,
    selftest,
    info,
):
    cli.add_command(_command)


def main() -> None:
    """Run the command line; errors of our own family become one line and exit code 2."""
    try:
        # Not cli.main(): it answers a closed pipe with exit code 1 and Ctrl-C with an empty line.
        with cli.make_context("esoteric-drbg", sys.argv[1:]) as context:
            cli.invoke(context)
        sys.stdout.flush()
    except click.exceptions.Exit as done:
        raise SystemExit(done.exit_code) from None
    except KeyboardInterrupt:
        # All blocks have been left by now. Ending the interpreter would wait for what a thread still counts.
        os._exit(130)
    except click.Abort:
        raise SystemExit(130) from None
    except click.ClickException as error:
        error.show()
        raise SystemExit(error.exit_code) from None
    except BrokenPipeError:
        # The reader went away: end quietly, and keep the interpreter from flushing into the closed pipe.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(0) from None
    except EsotericDRBGError as error:
        fail(str(error))
    except OSError as error:
        fail(f"{error.strerror or error}" + (f": {error.filename}" if error.filename else ""))
