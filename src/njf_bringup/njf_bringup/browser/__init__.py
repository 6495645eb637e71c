"""The browser page: what it shows, how a drag becomes a goal, who may come in. No ROS in here."""
