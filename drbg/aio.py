"""Tokens in coroutines: the public name of :mod:`esoteric_drbg.adapters.aio`."""

from esoteric_drbg.adapters.aio import token_bytes, token_hex, token_urlsafe

__all__ = ["token_bytes", "token_hex", "token_urlsafe"]
