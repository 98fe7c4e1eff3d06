"""`python -m hanma.mock PLATFORM`: the stand-ins without the rest of the command line."""

from hanma.mock.cli import app

if __name__ == "__main__":
    app(prog_name="python -m hanma.mock")
