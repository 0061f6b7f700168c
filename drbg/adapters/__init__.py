"""Adapters that offer an RBG as functions like those of secrets, a file, coroutines and numpy's bit generator."""
