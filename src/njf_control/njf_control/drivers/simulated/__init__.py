"""A robot that exists only in the simulator, reached through a local socket."""
