"""Conditioned sources: RNGs of the CPU, the machine and the TPM."""
