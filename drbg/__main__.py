"""``esoteric-drbg`` and ``python -m esoteric_drbg``: the command line, which Ctrl-C ends with exit code 130."""

import os
import sys

from esoteric_drbg.cli import interrupts

__all__ = ["main"]


def main() -> None:
    """Run the command line, which handles Ctrl-C from here on; importing the package never changes its handling."""
    interrupts.exit_at_once()
    try:
        try:
            from esoteric_drbg.cli.main import main as command  # noqa: PLC0415 - not before Ctrl-C is handled
        except ModuleNotFoundError as error:
            from esoteric_drbg.extras import or_its_extra  # noqa: PLC0415

            missing = or_its_extra(error)
            if missing is error:
                raise
            print(f"Error: {missing}", file=sys.stderr)
            raise SystemExit(2) from None

        interrupts.raise_once()
        command()
    except KeyboardInterrupt:
        os._exit(interrupts.INTERRUPTED)
    except BaseException:
        if interrupts.interrupted():
            os._exit(interrupts.INTERRUPTED)
        raise
    finally:
        interrupts.exit_at_once()


if __name__ == "__main__":
    main()
