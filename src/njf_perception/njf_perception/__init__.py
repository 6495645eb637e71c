"""From one camera image to geometry: cameras, encoder, PixelNeRF field, renderer and trackers."""
