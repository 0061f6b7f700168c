"""Audits: claims of sources, their independence, and what this machine shows by itself."""
