"""A month of a rough site in minutes: the terminal's own staged files in virtual time, judged by an independent observer."""
