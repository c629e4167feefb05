"""What is told before the dashboard takes the screen."""

from __future__ import annotations


class SettingError(ValueError):
    """A setting of the dashboard that cannot be; the message is for people."""
