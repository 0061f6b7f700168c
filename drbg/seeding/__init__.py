"""Seeding: noise sources, health tests, credit and Hash_df make seed material with a ledger (SP 800-90B, 90C)."""
