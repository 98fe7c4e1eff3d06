"""hanma (焊码): host tools for welder terminals."""
