"""The smallest real nodes, for the supervisor's tests."""
