"""One trial of a sweep: the Ray trainable around the training loop, its share of the machine, and the smoke test."""
