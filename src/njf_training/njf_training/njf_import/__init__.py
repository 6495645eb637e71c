"""Import of the datasets that were published with Neural Jacobian Fields; see docs/dataset.md."""
