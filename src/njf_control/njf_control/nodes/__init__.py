"""ROS 2 nodes: thin wrappers around the package's pure code."""
