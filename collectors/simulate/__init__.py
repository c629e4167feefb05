"""Simulates choreographed and orchestrated systems: OTLP spans with faults, and the truth."""

from collectors.simulate.faults import FAULTS
from collectors.simulate.otlp import to_json, to_protobuf
from collectors.simulate.run import Chunk, chunks, read_truth, simulate, write
from collectors.simulate.scenario import Scenario, ScenarioError, parse
from collectors.simulate.systems import SYSTEMS
from collectors.simulate.truth import Header, Truth

__all__ = [
    "FAULTS",
    "SYSTEMS",
    "Chunk",
    "Header",
    "Scenario",
    "ScenarioError",
    "Truth",
    "chunks",
    "parse",
    "read_truth",
    "simulate",
    "to_json",
    "to_protobuf",
    "write",
]
