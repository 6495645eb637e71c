"""How good a checkpoint is on motions it never saw, and pictures of it."""
