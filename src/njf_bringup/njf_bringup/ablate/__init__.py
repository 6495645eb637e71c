"""What matters for a model: training again and again with one thing changed."""
