"""`hanma upload`: the clerk's commands. Each opens the site's desk, does one thing and says how it went."""

from . import cli_entry, cli_jobs, cli_places, cli_records
from .cli_base import app

__all__ = ["app", "cli_entry", "cli_jobs", "cli_places", "cli_records"]
