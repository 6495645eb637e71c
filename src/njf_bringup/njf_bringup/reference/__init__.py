"""docs/reference.md: what the program has to offer, as the program itself says it."""
