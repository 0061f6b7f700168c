"""Kernels that stand in where Rust is missing and that specify nothing: what they time is Python's own work."""
