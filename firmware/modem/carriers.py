"""The Chinese carriers' access point names. Pure, holds no state; borrowed."""

# IMSI prefixes of a carrier (46000 without the 460), then its names: consumer, things. The card's home counts,
# not the network it visits.
_CARRIERS = (
    ("00 02 04 07 08 13", "cmnet", "cmiot"),
    ("01 06 09 10", "3gnet", "unim2m.njm2mapn"),
    ("03 05 11 12", "ctnet", "ctiot"),
    ("15 60", "cbnet", "cmnet"),
)


def access_points(imsi, configured):
    """Return the APNs to try in turn, a list of text: the configured one, the network's choice, the carrier's."""
    names = [configured, ""] if configured else [""]
    for prefixes, consumer, things in _CARRIERS:
        if imsi and imsi[:3] == "460" and imsi[3:5] in prefixes.split():
            names.append(consumer)
            names.append(things)
    return names
