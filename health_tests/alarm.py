"""Alarms of the health tests as data; :attr:`Alarm.text` puts an alarm into words."""

from __future__ import annotations

from esoteric_drbg.frozen import Frozen

__all__ = ["APT", "LAG", "RCT", "Alarm", "Finding"]

#: Short names of the tests, as used in tables and JSON.
RCT, APT, LAG = "RCT", "APT", "lag"

_NAMES = {
    RCT: "Repetition Count Test",
    APT: "Adaptive Proportion Test",
    LAG: "Lag Predictor Test (developer-defined)",
}


class Finding(Frozen):
    """Failure of one health test; it contains no raw data.

    Attributes
    ----------
    test : str
        ``"RCT"``, ``"APT"`` or ``"lag"``.
    tier : str
        ``"intermittent"`` or ``"permanent"``: the highest tier whose cutoff was reached.
    cutoff : int
        C of the intermittent tier: number of equal samples (RCT, APT) or of correct predictions (lag).
    permanent_cutoff : int
        C of the permanent tier.
    sample_index : int
        Sample at which `cutoff` was first reached, counting from 0 since the monitor's last (re)start.
    reached : int
        Longest run or largest count since that (re)start.
    window : int or None
        Number of samples in which `reached` was counted; None for a run.
    predictor : str
        Predictor that failed the Lag Predictor Test, such as ``"lag 7"``; empty for the other tests.
    """

    test: str
    tier: str
    cutoff: int
    permanent_cutoff: int
    sample_index: int
    reached: int
    window: int | None = None
    predictor: str = ""

    @property
    def text(self) -> str:
        """The finding in words."""
        if self.test == RCT:
            what = f"run of {self.reached}"
        else:
            right = " right" if self.test == LAG else ""
            what = f"{self.reached}{right} " + ("in a row" if self.window is None else f"of {self.window}")
        by = f" by {self.predictor}" if self.predictor else ""
        higher = f", permanent cutoff {self.permanent_cutoff} reached" if self.tier == "permanent" else ""
        return (
            f"{_NAMES[self.test]}: {what}, cutoff {self.cutoff} first reached{by} at sample {self.sample_index}{higher}"
        )


class Alarm(Frozen):
    """One alarm of a :class:`~esoteric_drbg.health_tests.HealthMonitor`; :class:`HealthTestError` carries it.

    Attributes
    ----------
    source : str
        Name of the source; empty if the monitor was given none.
    tier : str
        ``"intermittent"`` or ``"permanent"``: how the source has failed.
    findings : tuple of Finding
        One or more: a stuck source fails several tests at once.
    in_a_row : int
        Number of consecutive intermittent alarms that made this alarm permanent; 0 if a cutoff made it permanent, or
        if it is intermittent.

    Examples
    --------
    >>> from esoteric_drbg.errors import HealthTestError
    >>> from esoteric_drbg.health_tests import HealthMonitor
    >>> monitor = HealthMonitor(4.0, 8, source="stuck")
    >>> try:
    ...     monitor.start_up(bytes(1024))
    ... except HealthTestError as error:
    ...     error.source, error.test, error.tier, error.sample_index, error.cutoff
    ('stuck', 'RCT', 'permanent', 8, 9)
    """

    source: str
    tier: str
    findings: tuple[Finding, ...]
    in_a_row: int = 0

    @property
    def first(self) -> Finding:
        """The finding whose cutoff was reached first."""
        return min(self.findings, key=lambda finding: finding.sample_index)

    @property
    def text(self) -> str:
        """The alarm in words: the message of its error."""
        texts = [finding.text for finding in self.findings]
        if self.in_a_row:
            texts.append(f"{self.in_a_row} intermittent failures in a row")
        return f"{self.tier} failure: {'; '.join(texts)}"
