"""Where the cameras of a rig stand, and their lenses, from pictures of a board of AprilTags.

Pixels in, poses out: nothing here knows ROS. `sources` (folders, bags) lie with who reads them.
"""
