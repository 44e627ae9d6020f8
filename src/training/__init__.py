"""Training: the loop, losses, optimizers and the run's folder."""
