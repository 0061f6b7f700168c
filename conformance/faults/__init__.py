"""Health audits: what the health tests are planned to detect, and what they detect of induced faults."""
