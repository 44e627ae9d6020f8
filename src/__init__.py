"""The segmentation framework: configuration, data, networks, losses, metrics, training, evaluation. It knows no Ray."""

import os

# Read when torch is imported. OpenMP's threads otherwise wait by spinning, and with more threads than free cores (a
# second trial, Ray's own processes, a browser) they burn the time that the others need: a hundredfold slower here.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
