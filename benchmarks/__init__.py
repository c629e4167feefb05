"""Benchmarks: choreoscope beside the naive script and its peers, on data made here."""
