"""From photographs on disk to batches of tensors."""
