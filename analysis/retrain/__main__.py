"""``python -m analysis.retrain``."""

from analysis.retrain.cli import command

command()
