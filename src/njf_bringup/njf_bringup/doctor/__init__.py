"""What `njf doctor` looks at; every failed check ends with the command that mends it."""
