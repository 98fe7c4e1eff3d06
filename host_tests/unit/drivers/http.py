"""Splits an address, makes a request, or reads the head of an answer. case: {"url"}, {"ask": [url, begin, end, token]} or
{"head": hex, "begin": n}; returns the result, or the code of what was raised."""

import binascii

from terminal import http


def run(case):
    """Return [result] or the error's code."""
    try:
        if "url" in case:
            return list(http.split_url(case["url"]))
        if "ask" in case:
            return [http.ask_for(*case["ask"]).decode()]
        answer = http.read_head(binascii.unhexlify(case["head"]), case["begin"])
        return answer and list(answer)
    except http.HttpError as error:
        return error.args[0]
