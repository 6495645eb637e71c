"""Simulated robots, cameras and byte-level fakes of the hardware."""
