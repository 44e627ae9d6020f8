"""From a sweep's files to a decision."""
