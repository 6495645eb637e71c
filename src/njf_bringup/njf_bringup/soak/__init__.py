"""`njf soak`: the whole graph for a long time, and what it cost."""
