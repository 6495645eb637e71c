"""The documents' figures, all written from the metrics that lie beside the checkpoints."""
