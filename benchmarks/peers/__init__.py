"""What a person would script instead, each a process of its own."""
