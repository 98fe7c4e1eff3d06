"""Strict stand-ins of the authorities' servers: they refuse what the documents refuse and keep a ledger of what they took.

Each platform's rules are written here from its document alone, apart from the uploader, so that an error in one does not
hide the same error in the other. Nothing in this package is imported by the uploader, and nothing of the uploader here.
"""
