"""Measures cracks in masks: their centre lines, lengths, widths and directions."""
