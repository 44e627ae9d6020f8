"""From overrides to a checked configuration."""
