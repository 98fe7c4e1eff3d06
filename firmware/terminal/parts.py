"""What boot.py made and main.py goes on with: `start` sets these once, and the rooms are handed this module as their `parts`.

board: the board's data. config: the Config in force; problems: what was wrong with its file. store, clock, guard: the rooms of
those names. kept_problem: text when NVS could not be read or written, or a record in it was broken, else None. resumed: whether
the welder's power was carried over a reset.
"""

guard = None  # until all of it is made


class Config:
    """The settings as attributes (`config.host`) and items (`config["host"]`). Their table is in `config`.

    in_force: the dict they are in, in whose place one with fewer may be put. broken: True when the file was missing or unreadable
    and all of this is defaults.
    """

    def __init__(self, values, broken=False):
        self.in_force = values
        self.broken = broken

    def __getattr__(self, name):
        if name in self.in_force:
            return self.in_force[name]
        raise AttributeError(name)

    def __getitem__(self, name):
        return self.in_force[name]
