"""The authority's platform on the bench: who may weld, what was ordered, what was said.

regulation  the rules of the measure, pure
people      the small store of devices, welders, guardians, permits and jobs
journal     an append-only record of every message and every step of every job
broker      an MQTT broker inside this process
device      what is known of one terminal from what it reported
platform    connects the rules to a broker
screen      shows it all, live or line by line
"""
