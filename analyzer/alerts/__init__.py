"""Tells people what is stuck: one alert a fault, never one an instance, and each change once."""
