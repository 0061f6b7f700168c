"""Sources that time the network; no packet is sent before the user has named targets."""
