"""Point trackers: where given image points are in every following image."""
