"""Trains the best configurations of a sweep again on fresh seeds, and says which one to use (``retrain-best``)."""
