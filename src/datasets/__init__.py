"""From what people have to a data folder."""
