"""`njf calibrate`: printing the board, reading views, showing progress, pictures."""
