"""Proves that nothing is lost: power cuts at every write, faults of the whole world, and defects planted to be found."""
