"""Sources of network timing; no packet is sent before targets are named."""
