"""The search itself: trials, events, state, scheduler and sampler. No clock, no Ray, no torch, no files."""
