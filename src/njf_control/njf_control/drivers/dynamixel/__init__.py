"""ROBOTIS Dynamixel servos, protocol 2.0."""
