"""Wonik Allegro hand on a CAN bus."""
