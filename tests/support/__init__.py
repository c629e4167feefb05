"""Builders and corpora that several tests share."""

from hypothesis import settings

# Wall time on a shared machine says nothing about a test; see docs and benchmarks for speed.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
