"""Where the cameras of a rig stand, and their lenses, from pictures of a board of AprilTags.

Pixels in, poses out; nothing here knows ROS. `rig.calibrate_rig` is the whole of it, from views to
poses; `refuse` and `intrinsics` say when it does not answer.
"""
