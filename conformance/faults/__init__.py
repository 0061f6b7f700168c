"""Health audits: what the health tests promise, and what they see of induced faults."""
