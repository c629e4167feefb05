"""The feeds: one class for each kind of source, each with a thread of its own."""
