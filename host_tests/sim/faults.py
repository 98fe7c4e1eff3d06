"""The simulator's named faults: which exist, what each does, and which are switched on. Pure.

A fault is set with `name`, and optionally `on` (false switches it off), `count` (how often it strikes;
default once for those marked once, else until switched off), `match` (it strikes only at command lines,
URCs or records that contain this text) and the parameters named in its text. Evidence for each is in the
modem manuals' known defects; a driver has to live with all of them.
"""

# name -> (strikes once unless told otherwise, what it does)
FAULTS = {
    # answers
    "urc_before_answer": (True, "the URC `text` stands between the echo and the answer"),
    "urc_glued": (True, "the URC `text` follows the final result at once, in one piece with it"),
    "noise": (True, "the junk bytes `hex` come before the answer"),
    "missing_ok": (True, "the final result (OK, ERROR) is not sent"),
    "crcrlf": (False, "every line ends in \\r\\r\\n instead of \\r\\n"),
    "late": (True, "the answer comes `ms` later, while the modem already takes the next command"),
    "slow": (True, "the answer comes exactly `ms` after the command; the modem is busy meanwhile"),
    "deaf": (True, "the command is swallowed: echo, then nothing"),
    "error": (True, "the command is not carried out and answered with `text` (default ERROR)"),
    "echo_twice": (True, "the command's echo comes a second time before the answer"),
    "overrun": (True, "`bytes` bytes (default 1) are lost `at` bytes into the next piece of output"),
    "cme_text": (False, "errors are told as text, whatever CMEE says"),
    "reboot": (True, "the modem restarts by itself (echo on again, all sockets gone) instead of answering"),
    # URCs
    "urc_lost": (True, "a URC is not sent (with match '+CIPRXGET: 1' a lost notification)"),
    "recv_each": (False, "+CIPRXGET: 1 comes with every arrival, not only when the queue was empty"),
    "closed_first": (True, "+IPCLOSE comes before the notification of the last data, which stay readable"),
    "closed_drops": (False, "data not yet read are lost when the peer closes"),
    "ipclose_bare": (False, "+IPCLOSE is written without its colon, as some relatives do"),
    # boot and UART
    "no_banner": (False, "the boot banner is not sent; AT simply begins to answer"),
    "half_banner": (False, "the boot banner is cut off after its first line"),
    "binary_banner": (False, "64 bytes of binary rubbish come before the boot banner"),
    "dead_boot": (True, "the power key starts nothing"),
    # sending
    "prompt": (False, "the prompt is `text` instead of '\\r\\n>' (for example '> ', '\\r\\n>\\r\\n')"),
    "no_prompt": (True, "CIPSEND gives no prompt and no answer"),
    "urc_after_prompt": (True, "the URC `text` comes between the prompt and OK"),
    "urc_before_prompt": (True, "the URC `text` comes right before the prompt"),
    "send_confirmed": (True, "+CIPSEND confirms only `cnf` bytes (default 0); the rest is lost"),
    "send_silent": (True, "OK comes, but never +CIPSEND"),
    "send_words": (False, "`text` (default DATA ACCEPT) stands as a line of its own before the OK of a send"),
    "send_closed": (True, "the peer's close (+IPCLOSE) comes between the prompt's data and its OK"),
    "reboot_in_data": (True, "the modem restarts while it takes the data of a send"),
    # network
    "netopen_fails": (False, "NETOPEN ends in +NETOPEN: 1"),
    "netopen_silent": (True, "NETOPEN answers OK and then nothing"),
    "open_silent": (True, "CIPOPEN answers OK and then nothing"),
    "open_at_once": (False, "+CIPOPEN comes before the OK of a TCP open"),
    "open_name": (False, "CIPOPEN with a host name ends in error 11; an address works"),
    "dns_needs_server": (False, "CDNSGIP ends in error 10 until CDNSCFG named a server"),
    "close_silent": (True, "CIPCLOSE answers OK and then nothing"),
    "creg_zero": (False, "CREG and CGREG stay at 0; only CEREG tells the registration"),
    "attached_only": (False, "registered and attached, but no data call comes up: NETOPEN fails"),
    "nitz_at_attach": (False, "CTZU=1 given after registration sets no clock until the next one"),
    "sim_busy": (True, "CPIN? is answered with +CME ERROR: 14"),
    # services
    "gnss_pseudo": (False, "CGNSSINFO claims a fix at 0/0"),
    "gnss_ddmm": (False, "CGNSSINFO gives degrees and minutes (ddmm.mmmmmm)"),
    "gnss_old": (False, "CGNSSINFO has one satellite field more and no trailing one"),
    "gnss_bare": (False, "an unfixed CGNSSINFO has 8 commas and no space"),
    "tts_silent": (True, "CTTS speaks but never says that it has ended"),
}


class Faults:
    """Which faults are on; `active` is an empty dict when none is, so asking costs nothing."""

    def __init__(self):
        self.active = {}

    def set(self, name, on=True, count=None, match="", params=None):
        """Switch a fault on or off; raises ValueError for an unknown name."""
        if name not in FAULTS:
            raise ValueError("no fault " + repr(name))
        if not on:
            self.active.pop(name, None)
            return
        if count is None and FAULTS[name][0]:
            count = 1
        self.active[name] = [count, match, params or {}]

    def take(self, name, text=""):
        """Return the parameters (a dict) if the fault strikes here, else None; a counted one is used up."""
        fault = self.active.get(name)
        if fault is None or (fault[1] and fault[1] not in text):
            return None
        if fault[0] is not None:
            fault[0] -= 1
            if fault[0] <= 0:
                del self.active[name]
        return fault[2]

    def state(self):
        """Return {name: strikes left or None} of the faults that are on."""
        return {name: fault[0] for name, fault in self.active.items()}
