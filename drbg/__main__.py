"""``python -m esoteric_drbg``: the command line."""

from esoteric_drbg.cli import main

if __name__ == "__main__":
    main()
