"""Detectors: one file a family of faults, listed by hand in `analyzer.pipeline.detect`."""
