"""Sources that read the kernel's own counters."""
