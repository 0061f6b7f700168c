"""Adapters: an RBG as secrets, a file, coroutines and numpy's bit generator."""
