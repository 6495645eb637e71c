"""What people look at: Jacobian fields as coloured points, arrows and pictures. Pure."""
