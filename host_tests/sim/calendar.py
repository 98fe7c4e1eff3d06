"""Calendar arithmetic in whole seconds since 1970, the same on both interpreters. Pure."""


def civil(unix_s):
    """Return (year, month, day, hour, minute, second) of a UTC time in seconds since 1970."""
    days, rest = divmod(unix_s, 86400)
    era_days = days + 719468  # since 0000-03-01, where leap days come last in a year
    era, day_of_era = divmod(era_days, 146097)
    year_of_era = (day_of_era - day_of_era // 1460 + day_of_era // 36524 - day_of_era // 146096) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    shifted = (5 * day_of_year + 2) // 153
    day = day_of_year - (153 * shifted + 2) // 5 + 1
    month = shifted + 3 if shifted < 10 else shifted - 9
    year = year_of_era + era * 400 + (month <= 2)
    return year, month, day, rest // 3600, rest // 60 % 60, rest % 60


def unix_s(year, month, day, hour=0, minute=0, second=0):
    """Return the seconds since 1970 of a UTC date and time."""
    year -= month <= 2
    era, year_of_era = divmod(year, 400)
    day_of_year = (153 * (month - 3 if month > 2 else month + 9) + 2) // 5 + day - 1
    day_of_era = year_of_era * 365 + year_of_era // 4 - year_of_era // 100 + day_of_year
    return (era * 146097 + day_of_era - 719468) * 86400 + hour * 3600 + minute * 60 + second
