"""Receives spans over HTTP and gRPC: transport only; what is answered as taken is on disk."""
