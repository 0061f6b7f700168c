"""Noise sources: raw samples from hardware, each with a min-entropy claim (SP 800-90B)."""

from esoteric_drbg.noise_sources.claims import Claim, Evidence
from esoteric_drbg.noise_sources.info import SourceInfo
from esoteric_drbg.noise_sources.registry import available, create, names
from esoteric_drbg.noise_sources.source import Availability, NoiseSource

__all__ = ["Availability", "Claim", "Evidence", "NoiseSource", "SourceInfo", "available", "create", "names"]
