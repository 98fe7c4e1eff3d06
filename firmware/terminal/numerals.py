"""Numbers as they are spoken in Chinese. Pure; borrowed for the phrases that have one.

Letters are taken out of a text as slices: what an index or a loop takes out, MicroPython keeps for ever.
"""

_DIGITS = "零一二三四五六七八九"
_PHONE_DIGITS = "零幺二三四五六七八九"  # a one is read yao where numbers are spelt
_UNITS = ("", "十", "百", "千")


def number(value):
    """Return 0 to 9999 as it is spoken."""
    text = ""
    zero = False
    for place in (3, 2, 1, 0):
        digit = value // 10**place % 10
        if digit:
            text += ("零" if zero else "") + _DIGITS[digit : digit + 1] + _UNITS[place]
        zero = digit == 0 and text != ""
    return text[1:] if text.startswith("一十") else text or "零"


def minutes(count):
    """Return so many minutes as they are spoken: two is liang before what is counted."""
    return ("两" if count == 2 else number(count)) + "分钟"


def spelt(digits):
    """Return a telephone number digit by digit; anything but a digit is left out."""
    return "".join([_PHONE_DIGITS[int(digit) : int(digit) + 1] for digit in digits if digit in "0123456789"])
