"""Plays one scene in a process of its own and prints what was found as one line of JSON.

argv[1]: JSON with scene, tree (a staged one) and directory (made for it, and left to the caller).
"""

import json
import pathlib
import sys
import traceback

from host_tests.faults import campaigns
from host_tests.faults.findings import UNRECOVERED, Findings
from host_tests.system import harness


def play(scene, tree, directory):
    """Play a scene on a staged tree and return its findings."""
    campaign = campaigns.SCENES[scene]
    harness.staged_tree = lambda board="unix": pathlib.Path(tree)
    findings = Findings()
    findings.count("faults_tried")
    try:
        with campaign.world(pathlib.Path(directory)) as world:
            if campaign.is_on:
                world.until_online()
            campaign.play(world, findings)
    except Exception:
        findings.unless(False, UNRECOVERED, "broke_down", traceback.format_exc())
    return findings.result()


if __name__ == "__main__":
    print(json.dumps(play(**json.loads(sys.argv[1]))))
