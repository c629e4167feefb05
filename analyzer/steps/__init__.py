"""From spans to steps: the boundaries of services, and the causal edges between them."""
