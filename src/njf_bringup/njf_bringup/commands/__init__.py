"""The verbs of `njf`, one module each."""
