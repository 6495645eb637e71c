"""What the documents say, read as data: commands, links, settings of nodes."""
