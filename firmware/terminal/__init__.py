"""The application: what an update replaces."""

VERSION = "0.1.0"
