"""Numbers that carry their own proof: citizen ids (GB 11643), credit codes (GB 32100), mobile numbers, number plates.

Pure: a text in, what is wrong with it out ("" when nothing is). None of these numbers is ever mended.
"""

import re
from datetime import date
from functools import lru_cache

# GB 11643-1999: weights 2^(17-i) mod 11 and the check signs for the sums' remainders.
_ID_WEIGHTS = tuple(pow(2, 17 - place, 11) for place in range(17))
_ID_SIGNS = "10X98765432"
# GB 32100-2015: its 31 signs, weights 3^i mod 31.
_CREDIT_SIGNS = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_CREDIT_WEIGHTS = tuple(pow(3, place, 31) for place in range(17))
_MOBILE = re.compile(r"1[3-9]\d{9}", re.ASCII)
_PROVINCES = "京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼"
# GA 36: five signs, six for new-energy vehicles; a trailer, a learner's car, Hong Kong's and Macao's end in their own sign.
_PLATE = re.compile(rf"[{_PROVINCES}][A-HJ-Z]([A-HJ-NP-Z0-9]{{5,6}}|[A-HJ-NP-Z0-9]{{4}}[挂学警港澳])")


@lru_cache(65536)
def citizen_id_fault(text):
    """Return "", "length", "signs", "birth" or "check"."""
    if len(text) != 18:
        return "length"
    if not (text.isascii() and text[:17].isdigit() and (text[17].isdigit() or text[17] == "X")):
        return "signs"
    if birth(text) is None:
        return "birth"
    total = sum(int(sign) * weight for sign, weight in zip(text, _ID_WEIGHTS, strict=False))
    return "" if _ID_SIGNS[total % 11] == text[17] else "check"


def birth(citizen_id):
    """Return the day of birth in a citizen id of 18 signs, or None where it isn't a day."""
    try:
        return date(int(citizen_id[6:10]), int(citizen_id[10:12]), int(citizen_id[12:14]))
    except ValueError:
        return None


def male(citizen_id):
    """Return whether a citizen id of 18 signs is a man's: its sign before the last is odd."""
    return int(citizen_id[16]) % 2 == 1


@lru_cache(4096)
def credit_code_fault(text):
    """Return "", "length", "signs" or "check"."""
    if len(text) != 18:
        return "length"
    if not all(sign in _CREDIT_SIGNS for sign in text):
        return "signs"
    total = sum(_CREDIT_SIGNS.index(sign) * weight for sign, weight in zip(text, _CREDIT_WEIGHTS, strict=False))
    return "" if _CREDIT_SIGNS[-total % 31] == text[17] else "check"


def mobile_fault(text):
    """Return "" or "form"."""
    return "" if _MOBILE.fullmatch(text) else "form"


def plate_fault(text):
    """Return "" or "form"."""
    return "" if _PLATE.fullmatch(text) else "form"
