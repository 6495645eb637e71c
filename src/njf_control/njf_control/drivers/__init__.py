"""Hardware drivers: one folder per device family, each `protocol.py`, `bus.py`, `driver.py`."""
