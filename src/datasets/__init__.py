"""From a user's photographs and masks to a data folder."""
