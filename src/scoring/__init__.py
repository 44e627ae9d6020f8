"""From a checkpoint to probabilities, scores and pictures."""
