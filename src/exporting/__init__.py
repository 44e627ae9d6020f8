"""Trained networks in the forms in which other software uses them (``python -m src.export``)."""
