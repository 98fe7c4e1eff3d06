"""Asks a profile on either interpreter.

case: {"config": settings other than the defaults, "identity": {...}, "ask": [[method, argument ...] ...]}. Bytes go in
as {"hex": text} and come back as ["hex", text]; "renewed" tells the log-in.
"""

from binascii import hexlify, unhexlify

from modem.borrow import borrow
from terminal import config


def _given(value):
    return unhexlify(value["hex"]) if isinstance(value, dict) else value


def _told(value):
    if isinstance(value, (bytes, bytearray, memoryview)):
        return ["hex", hexlify(value).decode()]
    if isinstance(value, (tuple, list)):
        return [_told(each) for each in value]
    return value


def run(case):
    """Return what each question gave."""
    settings = dict(config.defaults())
    settings.update(case.get("config", {}))
    profile = borrow(settings["profile"], "terminal.profiles").make(settings, case["identity"])
    answers = []
    for question in case["ask"]:
        arguments = [_given(value) for value in question[1:]]
        if question[0] == "renewed":
            try:
                profile.renew(*arguments)
                answer = [profile.client_id, profile.username, profile.password, profile.keepalive_s]
            except ValueError:
                answer = "needs the clock"
        elif question[0] == "up_topic":
            answer = profile.up_topic
        else:
            answer = getattr(profile, question[0])(*arguments)
        answers.append(_told(answer))
    return answers
