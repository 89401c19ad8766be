"""Address → prefix → origin AS → provider, region, country and kind; and on what evidence."""
