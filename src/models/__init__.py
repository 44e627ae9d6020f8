"""Networks: built, placed on a device, saved and loaded."""
