"""From a box of boards to terminals: identity, files, self test, label, record; and what a board on a cable is."""
