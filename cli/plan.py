"""``esoteric-drbg plan``: cutoffs, false alarms and power of the continuous health tests."""

from __future__ import annotations

import click

from esoteric_drbg.cli.output import console, emit_json, json_option

__all__ = ["plan"]


@click.command()
@click.option("--h", "min_entropy", type=float, required=True, help="Claimed min-entropy, bits per sample.")
@click.option("--alpha", default="2^-30", show_default=True, help="False-alarm probability: 2^-30, 1e-9, 1/1000.")
@click.option("--bits", type=click.IntRange(1, 8), default=8, show_default=True, help="Bits per symbol.")
@click.option("--window", type=click.IntRange(2, 65_536), help="APT window; by default 1024 for bits, else 512.")
@click.option("--rate", type=float, metavar="SYMBOLS_PER_S", help="Symbols per second, for false alarms per day.")
@click.option("--within", type=click.IntRange(1), default=16_384, show_default=True, help="Symbols after a fault.")
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="Of what is simulated.")
@json_option
def plan(
    min_entropy: float,
    alpha: str,
    bits: int,
    window: int | None,
    rate: float | None,
    within: int,
    seed: int,
    as_json: bool,
) -> None:
    """Plan health tests: exact cutoffs, expected false alarms, and which faults they find how soon."""
    from esoteric_drbg.conformance.faults.health_plan import parse_alpha, plan_health

    result = plan_health(
        min_entropy, parse_alpha(alpha), symbol_bits=bits, window=window, rate=rate, within=within, seed=seed
    )
    if as_json:
        emit_json(result.as_dict())
        return
    from rich.table import Table

    table = Table("test", "cutoff", "false alarm", "alarms a day", box=None, pad_edge=False)
    for name, cutoff, chance, per_day in (
        ("RCT", result.rct_cutoff, f"{result.rct_false_alarm:.3g} a symbol", result.rct_false_alarms_per_day),
        (
            "APT",
            result.apt_cutoff,
            f"{result.apt_false_alarm:.3g} a window of {result.window}",
            result.apt_false_alarms_per_day,
        ),
    ):
        table.add_row(name, str(cutoff), chance, "give --rate" if per_day is None else f"{per_day:.3g}")
    at_most = result.lag_false_alarms_per_day
    in_span = result.window * result.span
    for name, cutoff, bound, unit, n in zip(
        ("lag run", "lag window", "lag span"),
        result.lag_cutoffs,
        result.lag_false_alarms,
        ("a symbol", f"a window of {result.window}", f"a span of {in_span:,}"),
        (None, result.window, in_span),
        strict=True,
    ):
        never = n is not None and cutoff > n
        day = "" if n is not None else "give --rate" if at_most is None else f"at most {at_most:.3g} in all"
        table.add_row(name, str(cutoff), "never fails" if never else f"at most {bound:.3g} {unit}", day)
    out = console()
    out.print(table)
    out.print("lag: the Lag Predictor Test, developer-defined (SP 800-90B 4.5); its bounds hold for every such source")
    faults = Table("fault", "test", f"found in {within:,}", "mean delay", "how", "", box=None, pad_edge=False)
    for one in result.detections:
        found = f"{one.within:.6g}" + (f" ({one.interval[0]:.3f}-{one.interval[1]:.3f})" if one.interval else "")
        delay = "never" if one.mean_delay is None else f"{one.mean_delay:,.0f}"
        faults.add_row(one.fault, one.test, found, delay, one.how, one.note)
    out.print(faults)
