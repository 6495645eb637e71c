"""Stand-ins of hardware that speak its bytes, so that the real drivers drive the simulation."""
