"""One trial of a sweep: the Ray trainable around the training loop, its resources, its rehearsal."""
