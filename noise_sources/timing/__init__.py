"""Sources of timing: how long the same work takes, by the CPU's counter."""
