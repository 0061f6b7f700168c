"""What a source says of itself: SourceInfo, the old way of class attributes, and who must be named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fakes import Fake, simulated

from esoteric_drbg import EntropyPool, errors
from esoteric_drbg.conformance.audit.plan import is_opt_in, select_sources
from esoteric_drbg.noise_sources import Availability, Claim, NoiseSource, SourceInfo, registry
from esoteric_drbg.noise_sources.guard import guarded

OPT_IN = {"audio_thermal", "bluetooth_ble", "camera_shot_noise", "dns_timing", "gpu_timing", "tcp_connect"}
LABELS = SourceInfo._fields


def as_once(**attributes: Any) -> type[NoiseSource]:
    """Return a class that is written the way before there was SourceInfo."""
    methods = {"availability": lambda _: Availability(True), "read_raw": lambda _, n, **__: bytes(n)}
    with pytest.warns(DeprecationWarning, match=r"states info = SourceInfo\(\.\.\.\)") as caught:
        made: type[NoiseSource] = type("AsOnce", (NoiseSource,), methods | attributes)
    assert len(caught) == 1
    return made


WHOLE: dict[str, Any] = {
    "name": "once",
    "description": "as once",
    "category": "system",
    "physics": "none",
    "independence_group": "once",
    "estimated_rate": 5.0,
}


@pytest.mark.parametrize("name", sorted(registry.BUILT_IN))
def test_every_value_of_info_is_an_attribute(name: str) -> None:
    source = registry.create(name)
    assert type(source.info) is SourceInfo
    assert source.info._values() == {label: getattr(source, label) for label in LABELS}
    assert type(source).info.name == type(source).name == name


def test_a_source_is_named_at_run_time() -> None:
    source = Fake(name="this one", symbol_bits=4, claim=Claim(min_entropy=0.0, symbol_bits=4))
    assert (source.name, source.symbol_bits, Fake.name) == ("this one", 4, "simulated")
    source.info = source.info.replace(name="another")
    assert source.name == "another"


@pytest.mark.parametrize(
    ("values", "fault"),
    [
        ({"description": " "}, "simulated has no description"),
        ({"name": 5}, "a noise source has no name"),
        ({"estimated_rate": 0}, "simulated has no estimated_rate above 0"),
        ({"symbol_bits": 9}, "simulated has symbols of 9 bits; 1 to 8 are possible"),
        ({"symbol_bits": 4}, "simulated has no Claim for symbols of 4 bits"),
    ],
)
def test_impossible_info_is_bad_input(values: dict[str, Any], fault: str) -> None:
    with pytest.raises(errors.InvalidInputError, match=fault):
        simulated().replace(**values)


def test_class_attributes_are_taken_over() -> None:
    once = as_once(**WHOLE)
    assert once.info == SourceInfo(**WHOLE)
    assert (once.name, once().estimated_rate, once().bounded) == ("once", 5.0, False)
    with pytest.warns(DeprecationWarning, match="SourceInfo"):
        narrow: Any = type("Narrow", (once,), {"symbol_bits": 4, "claim": Claim(min_entropy=0.0, symbol_bits=4)})
    assert narrow.info == once.info.replace(symbol_bits=4, claim=narrow.info.claim)
    assert EntropyPool([once()]).sources[0].name == "once"


def test_a_class_with_info_reads_all_of_it_whatever_it_inherits() -> None:
    half = as_once(category="system", name="half")
    assert not hasattr(half, "info")
    whole: Any = type("Whole", (half,), {"info": simulated("whole", category="timing")})
    assert (whole().name, whole().category) == ("whole", "timing")
    with pytest.raises(errors.InvalidInputError, match="half has no description"):
        guarded(half())


def test_attributes_of_an_instance_are_what_the_guard_believes() -> None:
    source = Fake()
    source.name = "instance"
    assert guarded(source).info == source.info.replace(name="instance")


def test_the_warning_names_the_class_of_the_plugin(tmp_path: Path) -> None:
    code = "from esoteric_drbg.noise_sources import NoiseSource\n\n\nclass Once(NoiseSource):\n    name = 'once'\n"
    (tmp_path / "once_plugin.py").write_text(code)
    with pytest.warns(DeprecationWarning, match="SourceInfo") as caught:
        exec(compile(code, str(tmp_path / "once_plugin.py"), "exec"), {"__name__": "once_plugin"})
    assert [(Path(found.filename).name, found.lineno) for found in caught] == [("once_plugin.py", 4)]


def test_who_must_be_named_says_so() -> None:
    """It was asked for an attribute that no source had, so that nobody was opt-in."""
    assert {source.name for source in registry.installed(plugins=False) if is_opt_in(source)} == OPT_IN
    assert is_opt_in(Fake(opt_in=True))
    assert is_opt_in(guarded(Fake(opt_in=True)))
    assert not is_opt_in(guarded(Fake()))


def test_an_audit_of_everything_sends_no_packet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ESOTERIC_DRBG_TCP_TARGETS", "127.0.0.1:9")
    source = registry.create("tcp_connect")
    assert source.is_available()
    monkeypatch.setattr(type(source), "answer_ticks", lambda *_: pytest.fail("it was read"))
    assert select_sources([source], named=False).left_out == {"tcp_connect": "opt-in: audited only if it is named"}
