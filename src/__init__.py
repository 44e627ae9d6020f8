"""The segmentation framework: configuration, data, networks, losses, metrics, training, evaluation. No Ray."""

import os

# Read when torch is imported. By default, waiting OpenMP threads spin. With more threads than free cores (a second
# trial, Ray's processes, a browser) they take the time that others need: training was a hundred times slower.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# Read when numpy and scipy are imported. Their matrices here are small: on cores that trials keep busy, threads of
# theirs made a proposal of the search fifty times slower.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
