"""Hyper-parameter searches: a spec defines one, Optuna proposes trials, ASHA stops weak ones early, Ray runs them."""
