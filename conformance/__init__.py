"""Conformance: records raw data and assesses it, from the side of the seed path."""
