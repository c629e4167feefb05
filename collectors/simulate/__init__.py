"""Simulates choreographed and orchestrated systems: OTLP spans with faults, and the truth."""

from collectors.simulate.faults import FAULTS
from collectors.simulate.files import FORMATS, Target, format_of, read_truth, target, write
from collectors.simulate.otlp import to_json, to_protobuf
from collectors.simulate.run import Chunk, chunks, simulate
from collectors.simulate.scenario import Scenario, ScenarioError, parse
from collectors.simulate.systems import SYSTEMS
from collectors.simulate.truth import Header, Truth

__all__ = [
    "FAULTS",
    "FORMATS",
    "SYSTEMS",
    "Chunk",
    "Header",
    "Scenario",
    "ScenarioError",
    "Target",
    "Truth",
    "chunks",
    "format_of",
    "parse",
    "read_truth",
    "simulate",
    "target",
    "to_json",
    "to_protobuf",
    "write",
]
