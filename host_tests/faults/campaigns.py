"""The table of the whole-terminal scenes: the world of each, and how one (or a life, see `lives`) is run with any firmware."""

import dataclasses
import json
import pathlib
import subprocess
import sys
import tempfile

from hanma import stage
from host_tests.faults import children, lives, mutation, scenes
from host_tests.system.harness import ROOT, World

_SCENE_S = 200  # host seconds after which a scene is given up


@dataclasses.dataclass(frozen=True)
class Scene:
    """play: of `scenes`. config: settings of its world. is_on: whether the terminal is online when the scene begins.

    plants: edits of the firmware that belong to the scene itself (a defect it must survive).
    """

    play: object
    config: tuple = ()
    is_on: bool = True
    plants: tuple = ()

    def world(self, directory):
        """Return the world of this scene, not yet entered."""
        return World(directory, broker="own", config=dict(self.config), power=self.is_on)


_HANG = mutation.Edit(
    "terminal/supervisor.py",
    "            is_well = True\n",
    "            is_well = True\n            if self._clock.now_s() > 90:\n                await asyncio.sleep(100000)\n",
)

SCENES = {
    "retained_order": Scene(scenes.retained_order, is_on=False),
    "stale_orders": Scene(scenes.stale_orders),
    "contact_that_fails": Scene(scenes.contact_that_fails),
    "switching_interval": Scene(scenes.switching_interval, (("switch_min_interval_s", 30),)),
    "ban": Scene(scenes.ban),
    "ban_and_power_cut": Scene(scenes.ban_and_power_cut),
    "emergency": Scene(scenes.emergency, (("handover_idle_s", 20),)),
    "flapping_link": Scene(scenes.flapping_link, (("handover_max_s", 60), ("handover_idle_s", 3600))),
    "crash_at_work": Scene(scenes.crash_at_work),
    "power_cut_at_work": Scene(scenes.power_cut_at_work),
    "full_flash": Scene(scenes.full_flash, (("full_heartbeat_s", 60),), is_on=False),
    "flash_cuts": Scene(scenes.flash_cuts, is_on=False),
    "hang": Scene(scenes.hang, plants=(_HANG,)),
    "reports_through_an_outage": Scene(scenes.reports_through_an_outage),
    "reports_through_a_power_cut": Scene(scenes.reports_through_a_power_cut),
    "broker_restarts": Scene(scenes.broker_restarts),
    "modem_that_reboots": Scene(scenes.modem_that_reboots),
}


def staged(firmware, out, source):
    """Stage a copy of the firmware for the host's board; source: not compiled."""
    kept, stage.FIRMWARE = stage.FIRMWARE, pathlib.Path(firmware)
    try:
        return stage.stage("unix", out, source=source).out
    finally:
        stage.FIRMWARE = kept


def run(name, tree=None, firmware=None):
    """Play a scene or a life and return its findings as a dict.

    tree: staged from firmware/, else firmware (a copy of it) is staged. Raises children.Interrupted.
    """
    with tempfile.TemporaryDirectory(prefix="hanma-faults-") as directory:
        place = pathlib.Path(directory)
        plants = SCENES[name].plants if name in SCENES else ()
        if plants or tree is None:
            copy = mutation.copy(place / "firmware", plants, firmware)
            tree = staged(copy, place / "tree", source=True)
        if name in lives.LIVES:
            return lives.run(name, tree, place)
        options = {"scene": name, "tree": str(tree), "directory": str(place / "world")}
        command = [sys.executable, "-m", "host_tests.faults.scene_job", json.dumps(options)]
        try:
            done = children.run(command, _SCENE_S, cwd=ROOT)
            return json.loads(done.stdout.splitlines()[-1])
        except (subprocess.TimeoutExpired, IndexError, ValueError) as error:
            return {"found": [["unrecovered", "broke_down", repr(error)]]}
