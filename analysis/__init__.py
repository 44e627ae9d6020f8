"""Analyses the files of sweeps: leaderboard, report, comparison, and the verdict of retraining."""

import warnings

# Optuna imports tqdm, which warns in notebooks without widgets
warnings.filterwarnings("ignore", message="IProgress not found")
