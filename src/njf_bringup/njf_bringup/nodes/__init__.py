"""ROS 2 nodes of the bring-up: the supervisor's lifecycle client and the demo's client."""
