"""Replays checks, loads and saves of settings in a directory of files."""

import binascii
import json
import os

from terminal import config


def _content(path):
    try:
        with open(path, "rb") as file:
            return binascii.hexlify(file.read()).decode()
    except OSError:
        return None


def _loaded(path):
    settings, problems = config.load(path)
    values = {field[0]: settings[field[0]] for field in config.FIELDS}
    values["outage_causes"] = list(values["outage_causes"])
    return {"values": values, "problems": problems, "broken": settings.broken}


def run(case):
    """case: {"given": dict} to check or {"dir", "file": hex or None,
    "save": text of a dict or None}: writes, loads, saves, loads again, and tells what lies there at the end.
    """
    if "given" in case:
        values, problems = config.check(case["given"])
        values["outage_causes"] = list(values["outage_causes"])
        return {"values": values, "problems": problems}
    path = case["dir"] + "/config.json"
    if case["file"] is not None:
        with open(path, "wb") as file:
            file.write(binascii.unhexlify(case["file"]))
    result = {"first": _loaded(path), "aside": _content(case["dir"] + "/config.bad"), "refused": None}
    if case.get("save") is not None:
        try:
            config.save(json.loads(case["save"]), path)
        except config.ConfigError as error:
            result["refused"] = error.problems
        result["second"] = _loaded(path)
    result["files"] = sorted(os.listdir(case["dir"]))
    return result
