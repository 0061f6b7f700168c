"""``esoteric-drbg stream`` and ``pool``: random bytes, and where they came from."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from esoteric_drbg.cli.consent import consent_options
from esoteric_drbg.cli.output import console, emit_json, fail, json_option
from esoteric_drbg.errors import InvalidInputError
from esoteric_drbg.noise_sources import Claim
from esoteric_drbg.rbg.profiles import PROFILES, SP800_90C, profile_named

if TYPE_CHECKING:
    from esoteric_drbg.seeding.ledger import SeedLedger

__all__ = ["pool", "stream"]

#: Bytes written at a time: small enough that Ctrl-C answers at once.
CHUNK_BYTES = 1 << 16

profile_option = click.option(
    "--profile",
    "profile_name",
    type=click.Choice(sorted(PROFILES)),
    default=SP800_90C.name,
    show_default=True,
    help="Lifetime of a seed: sp800_90c reseeds within 2^17 output bits, sp800_90a lifts that one limit.",
)


def parse_credits(items: tuple[str, ...]) -> dict[str, Claim]:
    """Turn ``NAME=BITS:CERTIFICATE`` into claims by configuration."""
    claims: dict[str, Claim] = {}
    for item in items:
        name, equals, rest = item.partition("=")
        bits, colon, certificate = rest.partition(":")
        try:
            min_entropy = float(bits)
        except ValueError:
            min_entropy = -1.0
        if not (name and equals and colon and min_entropy > 0):
            raise InvalidInputError(f"--credit {item!r}: expected NAME=BITS:CERTIFICATE, for example rdseed=4:ESV-E0")
        claims[name] = Claim.by_operator(min_entropy, certificate=certificate)
    return claims


@click.command()
@click.option("--bytes", "n_bytes", type=click.IntRange(min=0), help="How many bytes; endless without it.")
@click.option("--hex", "as_hex", is_flag=True, help="Print hexadecimal digits instead of raw bytes.")
@profile_option
def stream(n_bytes: int | None, as_hex: bool, profile_name: str) -> None:
    """Write random bytes to standard output: N of them, or endlessly.

    Raw bytes go to a file or a pipe; a terminal wants --hex.
    """
    if sys.stdout.isatty() and not as_hex:
        fail("standard output is a terminal: redirect it, pipe it, or use --hex")
    from esoteric_drbg.rbg.rbg2 import RBG2Instance
    from esoteric_drbg.seeding.pool import EntropyPool

    rbg = RBG2Instance(EntropyPool.for_tokens, profile=profile_named(profile_name))
    out = sys.stdout.buffer
    written = 0
    while n_bytes is None or written < n_bytes:
        size = CHUNK_BYTES if n_bytes is None else min(CHUNK_BYTES, n_bytes - written)
        chunk = rbg.generate(size)
        out.write(chunk.hex().encode("ascii") if as_hex else chunk)
        written += size
    if as_hex:
        out.write(b"\n")
    out.flush()


@click.command()
@click.option(
    "--bytes",
    "n_bytes",
    type=click.IntRange(0, 1 << 20),
    default=32,
    show_default=True,
    help="Bytes to show.",
)
@click.option(
    "--credit",
    "credits_",
    multiple=True,
    metavar="NAME=BITS:CERT",
    help="Credit a certified source by configuration; the ledger shows CERT.",
)
@profile_option
@consent_options
@json_option
def pool(n_bytes: int, credits_: tuple[str, ...], profile_name: str, as_json: bool) -> None:
    """Test every source, seed a DRBG, and show health, ledger and random bytes.

    On a machine that no claim was recorded on, the sources are assessed first, once, and the result is kept.
    """
    from esoteric_drbg.cli.audit.self_assess import assess_where_needed
    from esoteric_drbg.rbg.rbg2 import EntropyPool

    assess_where_needed()
    entropy_pool = EntropyPool.auto(claims=parse_credits(credits_), profile=profile_named(profile_name))
    entropy_pool.start()
    data = entropy_pool.get_random_bytes(n_bytes)
    report = entropy_pool.health_report()
    if as_json:
        emit_json({**report, "random_bytes": data.hex()})
        return
    from esoteric_drbg.cli.health_table import print_health

    out = console()
    print_health(report, out)
    if entropy_pool.last_ledger is not None:
        for line in ledger_lines(entropy_pool.last_ledger):
            out.print(line, markup=False)
    out.print(f"random bytes: {data.hex()}", markup=False)


def ledger_lines(ledger: SeedLedger) -> list[str]:
    """Return the ledger of a seed as lines for people."""
    lines = [f"seed: {ledger.requested_bits} bits asked for, {ledger.credited_bits} credited"]
    for entry in ledger.entries:
        note = f"; {entry.note}" if entry.note else ""
        lines.append(
            f"  {entry.source} ({entry.independence_group}): {entry.symbols} symbols x {entry.min_entropy:g} bits "
            f"= h_in {entry.h_in:.1f} of n_in {entry.n_in} -> n_out {entry.n_out}, h_out {entry.h_out:.2f}, "
            f"credited {entry.credited_bits} ({entry.basis}); health {entry.health}{note}"
        )
    lines += [f"  missing: {reason}" for reason in ledger.missing]
    return lines
