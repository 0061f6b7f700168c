"""Recording raw data: sequences, restart matrices, and several sources at once."""
