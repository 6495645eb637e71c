"""Camera sources: UVC devices, video files and image folders behind one interface."""
