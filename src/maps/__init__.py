"""Photographs and masks, opened: in memory, or in windows where they are large or lie on a map; what they show."""
