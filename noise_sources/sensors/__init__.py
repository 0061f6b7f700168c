"""Sensors and devices that are read only when the user names them."""
