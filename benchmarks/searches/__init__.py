"""Ways to search, ours and its peers, each a generator of reports: one an epoch that was spent."""
