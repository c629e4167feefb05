"""What should have come, learned from the recording itself, and why it is absent."""
