"""The settings in force. Apart from their table, which is needed at the boot only."""


class Config:
    """The settings as attributes (`config.host`) and items (`config["host"]`).

    broken: True when the file was missing or unreadable and all of this is defaults.
    """

    def __init__(self, values, broken=False):
        self._values = values
        self.broken = broken

    def __getattr__(self, name):
        if name in self._values:
            return self._values[name]
        raise AttributeError(name)

    def __getitem__(self, name):
        return self._values[name]

    def group(self, names):
        """Return a dict of the named settings, as the interlock and the modem take them."""
        return {name: self._values[name] for name in names}
