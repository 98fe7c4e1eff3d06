"""A dictionary of a document by code and by Chinese name: which codes a text may stand for.

Names are compared without brackets, spaces and full-width forms, and 其它 is the same as 其他: what then fits two codes is asked.
"""

from .plain import FOLD


class Choices:
    """A dictionary by code and by name. sure: what needs no thought, cell → code."""

    def __init__(self, choices, synonyms):
        self.names = choices
        self.by_name = {}
        for code, name in choices.items():
            for text in dict.fromkeys((name, f"{code}{name}", f"{code}-{name}", f"{code}:{name}")):
                self.by_name.setdefault(text.translate(FOLD), []).append(code)
        for name, codes in synonyms.items():
            known = self.by_name.setdefault(name.translate(FOLD), [])
            known += [code for code in codes if code not in known]
        self.backward = choices == {"0": "是", "1": "否"}
        self.sure = {} if self.backward else {code: code for code in choices}
        self.sure |= {name: found[0] for name in choices.values() if len(found := self.by_name[name.translate(FOLD)]) == 1}

    def candidates(self, text):
        """Return the codes a text may stand for and whether a zero had to be put in front."""
        if text in self.names:
            return [text], False
        if codes := self.by_name.get(text.translate(FOLD)):
            return codes, False
        if text.isdigit() and text.isascii():
            return [code for code in self.names if code.isdigit() and len(code) > len(text) and int(code) == int(text)], True
        return [], False

    def near(self, text):
        """Return up to five entries that resemble an unknown text, as "code name"."""
        folded = text.translate(FOLD)
        close = [code for name, codes in self.by_name.items() if folded and (folded in name or name in folded) for code in codes]
        return self.told(list(dict.fromkeys(close))[:5] or list(self.names)[:5])

    def told(self, codes):
        return "、".join(f"{code} {self.names[code][:30]}" for code in codes)
