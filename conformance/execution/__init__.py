"""Execution: threads, processes and clusters that assess many files."""
