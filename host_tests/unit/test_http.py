"""Addresses, requests and heads of answers of a download in ranges, on both interpreters."""

import pytest
from drivers import http as driver
from hypothesis import given, settings
from hypothesis import strategies as st

_HEAD = b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 100-199/5000\r\nContent-Length: 100\r\n\r\n"


@pytest.fixture
def run(micropython):
    """Run a case on both interpreters; their results are equal."""

    def both(case):
        result = driver.run(case)
        assert micropython.call("http", case) == result
        return result

    return both


def _head(data, begin=100):
    return {"head": data.hex(), "begin": begin}


@pytest.mark.parametrize(
    "url, parts",
    [
        ("https://example.com/a/b?c=d", ["example.com", 443, "/a/b?c=d"]),
        ("HTTPS://example.com:8943", ["example.com", 8943, "/"]),
        ("https://10.0.0.1:1/x", ["10.0.0.1", 1, "/x"]),
    ],
)
def test_an_address_has_host_port_and_path(run, url, parts):
    assert run({"url": url}) == parts


@pytest.mark.parametrize(
    "url",
    ["http://example.com/", "https://", "https:///x", "https://a:0/", "https://a:65536/", "https://a:b/", "https://u@a/", None]
    + ["https://a/b c", "https://a/\r\nX: y", "https://a/#x", "https://a/é", "ftp://a/", ""],
)
def test_an_address_that_is_none_is_refused(run, url):
    assert run({"url": url}) == "address"


def test_a_token_is_sent_only_when_there_is_one(run):
    bare = run({"ask": ["https://example.com:8943/x", 0, 16384, None]})[0]
    assert bare.startswith("GET /x HTTP/1.1\r\nHost: example.com:8943\r\nRange: bytes=0-16383\r\n")
    assert "Authorization" not in bare
    assert "\r\nAuthorization: Bearer abc\r\n" in run({"ask": ["https://example.com/x", 0, 1, "abc"]})[0]


def test_a_range_is_taken_as_it_was_asked_for(run):
    assert run(_head(_HEAD + b"body")) == [len(_HEAD), 100, 5000]
    assert run(_head(_HEAD[:-1])) is None


def test_a_server_that_knows_no_ranges_sends_the_whole(run):
    assert run(_head(b"HTTP/1.1 200 OK\r\ncontent-length: 5000\r\n\r\n"))[1:] == [0, 5000]
    assert run(_head(b"HTTP/1.0 200 OK\r\n\r\n"))[1:] == [0, None]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 416])
def test_what_a_server_will_never_give_is_told_from_what_may_pass(run, status):
    assert run(_head(b"HTTP/1.1 %d no\r\n\r\n" % status)) == "denied"
    assert run(_head(b"HTTP/1.1 503 later\r\n\r\n")) == "answer"


@pytest.mark.parametrize(
    "old, new",
    [
        (b"100-199", b"101-199"),
        (b"bytes 100", b"lines 100"),
        (b"/5000", b""),
        (b"/5000", b"/*"),
        (b"Content-Length: 100", b"Transfer-Encoding: chunked"),
        (b"Content-Length: 100", b"Content-Encoding: gzip"),
        (b"206 Partial Content", b"302 Found"),
        (b"206 Partial Content", b"206x"),
        (b"HTTP/1.1", b"SSH-2.0"),
        (b"5000", b"5000000000"),
    ],
)
def test_an_answer_that_does_not_fit_is_of_no_use(run, old, new):
    assert old in _HEAD
    assert run(_head(_HEAD.replace(old, new))) == "answer"


def test_a_head_without_end_is_given_up(run):
    assert run(_head(b"HTTP/1.1 200 OK\r\n" + b"X: " + b"y" * 2040)) == "answer"


@settings(max_examples=60, deadline=None)
@given(at=st.integers(0, len(_HEAD) - 1), byte=st.integers(0, 255), cut=st.integers(0, len(_HEAD)))
def test_a_damaged_head_raises_nothing_else_and_both_interpreters_agree(micropython, at, byte, cut):
    data = bytearray(_HEAD)
    data[at] = byte
    case = _head(bytes(data[:cut]))
    assert micropython.call("http", case) == driver.run(case)
