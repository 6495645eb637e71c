"""One description of the node graph, and the njf command line that runs it."""
