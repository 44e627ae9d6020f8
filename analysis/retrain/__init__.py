"""Retrains the best configurations of a sweep on fresh seeds and decides which one to use (``retrain-best``)."""
