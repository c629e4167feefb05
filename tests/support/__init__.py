"""Builders and corpora that several tests share."""
