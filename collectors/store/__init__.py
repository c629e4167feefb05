"""Keeps what was received: acknowledged means on disk; a store is a source like a file."""
