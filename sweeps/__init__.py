"""Searches: a spec asks the question, Optuna proposes, ASHA stops the weak early, Ray runs the trials."""
