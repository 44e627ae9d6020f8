"""From photographs to masks, maps of probabilities, overlays and a table."""
