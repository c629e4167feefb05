"""Declared expectations and contracts, held against recordings."""
