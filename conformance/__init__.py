"""Conformance: records raw data and assesses it, from the side of the seed path."""

from esoteric_drbg.conformance.conditioning_entropy import conditioning_output_entropy
from esoteric_drbg.conformance.iid_assessment import assess_iid
from esoteric_drbg.conformance.non_iid import assess_non_iid
from esoteric_drbg.conformance.restart import assess_restart
from esoteric_drbg.conformance.sample_files import read_samples

__all__ = ["assess_iid", "assess_non_iid", "assess_restart", "conditioning_output_entropy", "read_samples"]
