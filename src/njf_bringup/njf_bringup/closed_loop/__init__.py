"""The chain camera, perception, servo, gate, robot in one process: fast and the same every time."""
