"""Where alerts go: one file a kind of receiver, each a frozen value; listed in `registry.py`."""
