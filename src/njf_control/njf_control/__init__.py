"""From geometry to commands: Jacobian field, solver, safety gate and hardware drivers."""
