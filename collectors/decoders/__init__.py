"""One pure decoder an encoding: bytes to raw columns."""
