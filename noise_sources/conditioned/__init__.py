"""Sources of conditioned noise: RNGs of the CPU, the machine and the TPM."""
