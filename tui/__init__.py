"""The way out: commands, and later screens, on a terminal."""
