"""From a sweep's files to a decision."""

import warnings

# Optuna brings tqdm, which in a notebook asks for widgets that nothing here shows
warnings.filterwarnings("ignore", message="IProgress not found")
