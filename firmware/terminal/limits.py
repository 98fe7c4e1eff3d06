"""What may be set of the interlock: the table of its settings, and the causes that can count as an outage. Borrowed.

Times are seconds. `config` checks against it, `recall` begins with it.
"""

# (name, default, low, high), in seconds; those in MAY_BE_OFF take 0 as well
SETTINGS = (
    ("fail_open_after_s", 600, 180, 86400),
    ("link_stable_s", 30, 5, 600),
    ("handover_idle_s", 120, 10, 3600),
    ("handover_max_s", 900, 60, 7200),
    ("idle_lock_s", 1800, 300, 14400),
    ("authorised_max_s", 43200, 3600, 86400),
    ("emergency_max_s", 43200, 3600, 86400),
    ("resume_within_s", 60, 0, 600),
    ("command_max_age_s", 120, 20, 3600),
    ("switch_min_interval_s", 2, 0, 30),
)
MAY_BE_OFF = ("idle_lock_s",)
# every cause of being down but for those that are no outage whatever the configuration says
OUTAGE_CAUSES = (
    "modem_dead",
    "no_sim",
    "sim_pulled",
    "no_signal",
    "no_registration",
    "no_data_call",
    "no_route",
    "untrusted",
    "clock_unknown",
    "no_answer",
)
