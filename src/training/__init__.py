"""Networks in training: the loop, its losses, its optimizers and its folder."""
