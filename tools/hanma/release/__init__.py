"""Releases: one staged tree becomes one signed bundle; it is read, judged and served as a terminal would meet it."""
