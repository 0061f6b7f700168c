"""``esoteric-drbg`` and ``python -m esoteric_drbg``: the command line, which Ctrl-C ends with exit code 130."""

import os

from esoteric_drbg.process import interrupts as ctrl_c

__all__ = ["main"]


def main() -> None:
    """Run the command line."""
    ctrl_c.exit_at_once()
    try:
        from esoteric_drbg.cli import main as command  # noqa: PLC0415 - not before Ctrl-C is in hand

        ctrl_c.raise_once()
        command()
    except KeyboardInterrupt:
        os._exit(ctrl_c.INTERRUPTED)
    except BaseException:
        if ctrl_c.came():
            os._exit(ctrl_c.INTERRUPTED)
        raise
    finally:
        ctrl_c.exit_at_once()


if __name__ == "__main__":
    main()
