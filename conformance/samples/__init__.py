"""Samples: files of them in every format, wide samples reduced, rows and columns."""
