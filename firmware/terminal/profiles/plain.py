"""The plain profile: the authority's messages bare, on topics from the configuration. Pure; borrowed when a profile is made.

For any broker: user name and password from the identity, a last will that says Z0.
"""

from terminal import protocol
from terminal.profiles import REQUEST_ID, Profile


def make(config, identity):
    """Return the Profile with topics from topic_up, topic_command, topic_response and topic_will (empty: no will).

    The user name is the device id where none is given; without a secret there is neither. The time does not matter.
    """
    profile = Profile()
    topics = (config["topic_up"], config["topic_command"], config["topic_response"])
    fill(profile, identity["device_id"], topics, config["keepalive_s"])
    secret = identity["secret"].encode()
    if secret:
        profile.password = secret
        profile.username = (identity.get("username") or profile.device_id).encode()
    will = topic(config["topic_will"], profile.device_id)
    if will:
        profile.last_will = will, protocol.uplink(protocol.OFFLINE, {"reason": "lost"})
    return profile


def fill(profile, device_id, topics, keepalive_s):
    """Give a Profile its attributes, without user name, password and will.

    topics: of uplinks, commands and responses, with {device_id} in them and {request_id} at the end of the last two.
    """
    up, command, response = topics
    profile.device_id = device_id
    profile.client_id = device_id.encode()
    profile.username = profile.password = profile.last_will = None
    profile.keepalive_s = keepalive_s
    profile.up_topic = topic(up, device_id)
    profile.response = response.replace("{device_id}", device_id)
    profile.is_numbered = REQUEST_ID in command
    profile.command = topic(command.split(REQUEST_ID)[0], device_id)
    profile.filters = [profile.command]
    if profile.is_numbered:
        profile.filters = [profile.command[: profile.command.rfind(b"/") + 1] + b"+"]


def topic(template, device_id):
    """Return the topic (bytes) of a template with {device_id} in it."""
    return template.replace("{device_id}", device_id).encode()
