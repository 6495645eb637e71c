"""From geometry to commands: Jacobian field, inverse-dynamics solver, safety gate and hardware drivers."""
