"""The simulator's named faults: which exist, what each does, and which are switched on. Pure.

A fault is set with `name`, and optionally `on` (false switches it off), `count` (how often it strikes;
default once for those marked once, else until switched off), `match` (it strikes only at command lines,
URCs or records that contain this text) and the parameters named in its text. Evidence for each is in the
modem manuals' known defects; a driver has to live with all of them. PITFALLS says which defect is which.
"""

ALL = ("a76xx", "quectel", "luat")
_A76XX = ("a76xx",)
_QUECTEL = ("quectel",)
_LUAT = ("luat",)
_NOT_A76XX = ("quectel", "luat")
_NOT_QUECTEL = ("a76xx", "luat")
_NOT_LUAT = ("a76xx", "quectel")

# name -> (strikes once unless told otherwise, families, what it does)
FAULTS = {
    # answers
    "urc_before_answer": (True, ALL, "the URC `text` stands between the echo and the answer"),
    "urc_glued": (True, ALL, "the URC `text` follows the final result at once, in one piece with it"),
    "urc_twin": (True, ALL, "a URC with the prefix of the answer (+CEREG: 1, +CPIN: READY, …) comes right before it"),
    "urc_unknown": (True, ALL, "a line `text` that no manual knows comes before the answer"),
    "noise": (True, ALL, "the junk bytes `hex` come before the answer"),
    "missing_ok": (True, ALL, "the final result (OK, ERROR) is not sent"),
    "crcrlf": (False, ALL, "every line ends in \\r\\r\\n instead of \\r\\n"),
    "late": (True, ALL, "the answer comes `ms` later, while the modem already takes the next command"),
    "slow": (True, ALL, "the answer comes exactly `ms` after the command; the modem is busy meanwhile"),
    "deaf": (True, ALL, "the command is swallowed: echo, then nothing"),
    "error": (True, ALL, "the command is not carried out and answered with `text` (default ERROR)"),
    "echo_twice": (True, ALL, "the command's echo comes a second time before the answer"),
    "overrun": (True, ALL, "`bytes` bytes (default 1) are lost `at` bytes into the next piece of output"),
    "dribble": (False, ALL, "every byte of the output comes alone, `ms` (default 1) after the one before"),
    "cme_text": (False, ALL, "errors are told as text, whatever CMEE says"),
    "cme_number": (False, _QUECTEL, "errors are told as numbers, whatever CMEE says"),
    "reboot": (True, ALL, "the modem restarts by itself (echo on again, all sockets gone) instead of answering"),
    "hung": (False, ALL, "no byte is answered to anything, until the power key or the reset key has helped"),
    # URCs
    "urc_lost": (True, ALL, "a URC is not sent (with match '+CIPRXGET: 1' a lost notification)"),
    "recv_each": (False, _NOT_QUECTEL, "+CIPRXGET: 1 comes with every arrival, not only when the queue was empty"),
    "recv_mid_lost": (True, ALL, "data that come while a command is carried out are not notified"),
    "closed_first": (True, ALL, "the peer's close is told before the notification of the last data, which stay readable"),
    "closed_drops": (False, ALL, "data not yet read are lost when the peer closes"),
    "ipclose_bare": (False, _A76XX, "+IPCLOSE is written without its colon, as some relatives do"),
    # boot and UART
    "no_banner": (False, ALL, "the boot banner is not sent; AT simply begins to answer"),
    "half_banner": (False, ALL, "the boot banner is cut off after its first line"),
    "binary_banner": (False, _NOT_LUAT, "64 bytes of binary rubbish come before the boot banner"),
    "dead_boot": (True, ALL, "the power key starts nothing"),
    "autobaud": (True, ALL, "after the next boot the first AT is swallowed: the modem finds its rate by it"),
    "urc_elsewhere": (False, _QUECTEL, "QURCCFG is answered OK, but URCs stay on another port"),
    # sending
    "prompt": (False, ALL, "the prompt is `text` instead of '\\r\\n>' (for example '> ', '\\r\\n>\\r\\n')"),
    "no_prompt": (True, ALL, "a send gets no prompt and no answer"),
    "prompt_late": (True, ALL, "the prompt comes `ms` (default 2000) late; what is sent before it is lost"),
    "send_at_once": (True, ALL, "the result of a send comes in the same moment as its last byte"),
    "send_fail": (True, _NOT_A76XX, "SEND FAIL: nothing of the data was taken, the socket lives on"),
    "peer_dead": (True, ALL, "the socket of the next send dies: sends succeed, no byte passes, no close is ever told"),
    "urc_after_prompt": (True, ALL, "the URC `text` comes between the prompt and OK"),
    "urc_before_prompt": (True, ALL, "the URC `text` comes right before the prompt"),
    "send_confirmed": (True, _A76XX, "+CIPSEND confirms only `cnf` bytes (default 0); the rest is lost"),
    "send_silent": (True, _NOT_QUECTEL, "OK comes, but never +CIPSEND; nothing comes, the data are sent all the same"),
    "send_words": (False, _A76XX, "`text` (default DATA ACCEPT) stands as a line of its own before the OK of a send"),
    "send_closed": (True, ALL, "the peer's close is told between the data of a send and its result"),
    "reboot_in_data": (True, ALL, "the modem restarts while it takes the data of a send"),
    # network
    "netopen_fails": (False, _A76XX, "NETOPEN ends in +NETOPEN: 1"),
    "netopen_silent": (True, _A76XX, "NETOPEN answers OK and then nothing"),
    "open_silent": (True, ALL, "an opening is answered OK, and then nothing"),
    "open_at_once": (False, _A76XX, "+CIPOPEN comes before the OK of a TCP open"),
    "open_name": (False, _NOT_QUECTEL, "an opening with a host name fails; an address works"),
    "dns_needs_server": (False, _A76XX, "CDNSGIP ends in error 10 until CDNSCFG named a server"),
    "close_silent": (True, _A76XX, "CIPCLOSE answers OK and then nothing"),
    "creg_zero": (False, ALL, "CREG and CGREG stay at 0; only CEREG tells the registration"),
    "attached_only": (False, ALL, "registered and attached, but no data call comes up: opening it fails"),
    "pdp_drift": (False, ALL, "the data call claims to be up, but no byte passes, until it or the radio starts anew"),
    "bearer_elsewhere": (False, _QUECTEL, "the network's bearer sits on context `cid` (default 5): QIACT fails until CGACT=0,cid"),
    "qiact_again": (False, _QUECTEL, "QIACT of a context that is active ends in ERROR"),
    "open_exhausted": (False, _QUECTEL, "QIOPEN ends in error 552 until the power was away"),
    "open_fails": (True, _QUECTEL, "QIOPEN ends in error `code` (default 566)"),
    "nitz_at_attach": (False, _NOT_LUAT, "CTZU=1 given after registration sets no clock until the next one"),
    "sim_busy": (True, ALL, "CPIN? is answered with +CME ERROR: 14"),
    # services
    "gnss_pseudo": (False, ALL, "GNSS claims a fix that is none: at 0/0, or with no satellites"),
    "gnss_text": (False, _QUECTEL, "an unfixed QGPSLOC is told as `text` (default DSAT_CME_GNSS_NOT_FIXED_NOW)"),
    "no_gnss": (False, ALL, "this build of the modem has no GNSS: ERROR"),
    "no_tts": (False, ALL, "this build of the modem has no speech: ERROR"),
    "lbs_swapped": (False, ALL, "the cell position's two coordinates have changed places"),
    "lbs_error": (True, _NOT_A76XX, "QLBS (CIPGSMLOC) ends in error `code` (default 10008; 408)"),
    "tight": (False, _QUECTEL, "no space after the colon or the comma, as some builds write QGPSLOC, QIGETERROR, QPING"),
    "qlts_outside": (False, _QUECTEL, "QLTS has its daylight saving outside the quotes"),
    "gnss_ddmm": (False, _A76XX, "CGNSSINFO gives degrees and minutes (ddmm.mmmmmm)"),
    "gnss_old": (False, _A76XX, "CGNSSINFO has one satellite field more and no trailing one"),
    "gnss_bare": (False, _A76XX, "an unfixed CGNSSINFO has 8 commas and no space"),
    "rdy_once": (False, _LUAT, "RDY comes once in the banner, not twice"),
    "nitz_form": (False, _LUAT, "+NITZ in another `form`: long (four digits of the year), no_dst, or zero (+0,0)"),
    "registration_mixed": (False, _LUAT, "+CGREG with an answer's fields comes between AT+CEREG? and its answer"),
    "ciicr_deact": (False, _LUAT, "a failing CIICR says +PDP: DEACT and nothing else, instead of +CME ERROR: 65535"),
    "rxf_counted": (False, _LUAT, "the line end that CIPRXF=0 appends is counted as data, in reads and in +RECEIVE"),
    "read_glued": (False, _LUAT, "data follow the header of CIPRXGET=2 at once, without a line end between"),
    "lbs_zero": (False, _LUAT, "CIPGSMLOC tells 0/0"),
    "tts_silent": (True, ALL, "the modem speaks but never says that it has ended"),
}

# What modems are known to do (number, name): the faults that show it, or None where no fault is needed, and the families.
# 7: what the peers send goes through untouched, so they only have to send what looks like an answer.
# 14: a Luat modem ends CIFSR, CIPSTATUS and CDNSGIP in its own order anyway.
PITFALLS = (
    (1, "urc_before_answer", ALL),
    (1, "urc_after_prompt", ALL),
    (1, "urc_glued", ALL),
    (2, "urc_twin", ALL),
    (2, "registration_mixed", _LUAT),
    (3, "urc_unknown", ALL),
    (4, "prompt", ALL),
    (4, "prompt_late", ALL),
    (4, "urc_before_prompt", ALL),
    (4, "no_prompt", ALL),
    (5, "send_at_once", ALL),
    (6, "slow", ALL),
    (6, "send_fail", _NOT_A76XX),
    (6, "send_confirmed", _A76XX),
    (7, None, ALL),
    (8, "recv_mid_lost", ALL),
    (8, "urc_lost", ALL),
    (9, "closed_first", ALL),
    (9, "send_closed", ALL),
    (10, "dribble", ALL),
    (11, "overrun", ALL),
    (12, "reboot", ALL),
    (12, "reboot_in_data", ALL),
    (13, "autobaud", ALL),
    (14, "open_at_once", _A76XX),
    (14, None, _LUAT),
    (15, "hung", ALL),
    (15, "deaf", ALL),
    (15, "pdp_drift", ALL),
    (16, "late", ALL),
    (17, "peer_dead", ALL),
    (18, "gnss_pseudo", ALL),
    (18, "lbs_swapped", ALL),
    (18, "lbs_zero", _LUAT),
    (19, "slow", ALL),
    (20, "no_tts", ALL),
    (20, "no_gnss", ALL),
)

CURED_BY_POWER = ("hung", "open_exhausted")


def of_family(family):
    """Return the names of the faults a family can have, in the table's order."""
    return [name for name, (_, families, _) in FAULTS.items() if family in families]


class Faults:
    """Which faults of one family's modem are on; `active` is an empty dict when none is, so asking costs nothing.

    changed() is called after each change that was asked for.
    """

    def __init__(self, family, changed):
        self.active = {}
        self._family = family
        self._changed = changed

    def set(self, name, on=True, count=None, match="", params=None):
        """Switch a fault on or off; raises ValueError for a name that is unknown or another family's."""
        if name not in FAULTS:
            raise ValueError("no fault " + repr(name))
        if self._family not in FAULTS[name][1]:
            raise ValueError("an %s has no fault %r" % (self._family, name))
        if not on:
            if self.active.pop(name, None) is not None:
                self._changed()
            return
        if count is None and FAULTS[name][0]:
            count = 1
        self.active[name] = [count, match, params or {}]
        self._changed()

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
