"""What we claim, measured; each beside a peer in one run."""
