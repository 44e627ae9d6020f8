"""Photographs too large for memory, and those with a position on the earth: read and written in windows."""
