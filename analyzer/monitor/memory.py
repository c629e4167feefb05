"""How much memory this process holds."""

from __future__ import annotations

import os
import sys


def resident() -> int:
    """Resident bytes; the most there ever were where the system does not tell the present ones."""
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        import resource

        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most if sys.platform == "darwin" else most * 1024  # bytes there, KiB elsewhere
