"""From a recorded bag to a checkpoint: exploration, dataset, training and evaluation."""
