"""A sweep on several machines: the Ray cluster that it joins, and the checks of its nodes."""
