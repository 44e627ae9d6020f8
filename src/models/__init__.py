"""Networks: what is built, on which device, and how they are kept."""
