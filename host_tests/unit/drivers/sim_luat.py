"""A simulated Luat modem in virtual time; the rest is as in `sim_world`. Pure."""

from drivers.sim_world import World


class LuatWorld(World):
    """The modem, its network and the time."""

    def __init__(self, settings=None, latency=0, rtt=0, seed=1, on=True):
        super().__init__(settings, latency, rtt, seed, on, "luat")

    def trained(self):
        """Let the modem boot, register, find the rate and forget its echo; return self."""
        self.run(30000)
        for command in ("AT", "ATE0"):
            self.say(command, 5000)
        return self
