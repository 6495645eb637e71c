"""Pneumatic robots: proportional pressure regulators, one output per channel, in gauge pressure."""
