"""Watches over a running system: the same pipeline over what is open, each second."""
