"""Writes the tables of settings into the clerk's chapter, docs/clerk.zh.md and docs/clerk.md: `python -m host_tests.chapter`.

What an authority's document leaves open, its default and the reason stand in the uploader's data, in Chinese; the English
reasons stand here. A table lies between `<!-- settings PLATFORM -->` and `<!-- end -->`; the rest of the chapter is left alone.
"""

import json
import re
from pathlib import Path

from hanma.upload import catalogue

_DOCS = Path(__file__).resolve().parent.parent / "docs"
CHAPTERS = {"zh": _DOCS / "clerk.zh.md", "en": _DOCS / "clerk.md"}
_HEADS = {"zh": ("设置", "缺省", "可选", "为什么"), "en": ("setting", "default", "choices", "why")}
_PLACE = re.compile(r"(<!-- settings (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
_BOTH = re.compile(r"(?<=。) (?=[A-Z])")  # a reason in both languages
REASONS = {
    "shantou": {
        "device_key": "The table of the gate's fields says `deviceCode`, the sample request `devicecode`; only one is sent.",
        "decimals": 'Amounts are decimal in the tables and quoted in the samples ("4000.00"). As the tables say: numbers; `text` '
        "where the platform takes only text (two places).",
        "blank_required": "For five weather fields and the plate's kind the remark is blank: neither required nor not.",
        "picture_prefix": "Only chapters 7 and 9 say that the prefix stays; the others are silent.",
        "picture_limit": "200kb, 1M and 2M: whether of 1000 or 1024, of the picture or of its base64 text, is not said. The "
        "strictest: the whole base64 text with its prefix, by 1000. Vehicle photos and settlement "
        "papers have no limit: 200kb and 1M too.",
        "payday": 'The monthly pay day is a date in the table and "21" (a day of the month) in the sample.',
        "no_badness": "How badnessInfo is sent when there is nothing bad is not said. Chapter 12 requires it: an empty list; "
        "for chapter 11 it may be left out.",
        "level_070": "Special trades and special equipment have the middle level; whether 070 is among them is not said: it is "
        "taken so.",
        "team_numbers": "teamSysNo of chapters 11 to 13 is taken to be the team's code; where the platform has its own number, "
        "write code = number here.",
        "token_form": "Whether the token is asked for with JSON or with a form is not said.",
    },
    "jiangsu": {
        "txcode_key": "The message says txcode, the table of fields txCode.",
        "area_as": "City and district: the remark says code, the sample has names.",
        "media_encoding": "How media are sent is not said; name_data is {name, data}, which keeps the file's name.",
        "token_method": "The method is not said; the address carries the parameters.",
        "token_life_s": "How long a token lives is not said: 0 uses it until it is refused.",
        "batch_rows": "How many rows a batch may have is not said.",
        "token_words": "A failure has one code only: where its reason has one of these words the token is taken to have run out.",
        "passing_words": "A failure has one code only: where its reason has one of these words it is sent again later.",
        "required": "The standard marks nothing as required; beside keys and names the `table.field` listed here are.",
    },
    "zhejiang": {"id_x": "The default password is the id's last six; the case of a final X is not said."},
}


def reason(platform, name, lang):
    """Return why there is that setting, in one language. KeyError where the English is missing."""
    parts = _BOTH.split(catalogue.load(platform).settings[name]["why"])
    if lang == "zh":
        return parts[0]
    return parts[1] if len(parts) > 1 else REASONS[platform][name]


def table(platform, lang):
    """Return the table of a platform's settings in Markdown."""
    lines = ["| " + " | ".join(_HEADS[lang]) + " |", "|---|---|---|---|"]
    for name, one in catalogue.load(platform).settings.items():
        choices = " ".join(f"`{choice}`" for choice in one.get("choices", ()))
        default = json.dumps(one["value"], ensure_ascii=False)
        lines.append(f"| `{name}` | `{default}` | {choices} | {reason(platform, name, lang)} |")
    return "\n".join(lines) + "\n"


def written(text, lang):
    """Return a chapter's text with its tables as the data has them."""
    return _PLACE.sub(lambda found: found[1] + table(found[2], lang) + found[3], text)


def platforms_in(text):
    """Return the platforms whose tables a chapter has."""
    return {found[2] for found in _PLACE.finditer(text)}


if __name__ == "__main__":
    for lang, path in CHAPTERS.items():
        path.write_text(written(path.read_text("utf-8"), lang), "utf-8")
