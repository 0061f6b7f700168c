"""Seeding: from noise sources through health tests, credit and Hash_df to seed material with a ledger (SP 800-90B, 90C)."""
