from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from image_tensors.origins import ImageUrl, Origin, read_allowed_hosts, read_url
from modelserve.errors import InvalidInput

ALLOWED = read_allowed_hosts(
    "images.test, files.test:8443, http://plain.test, http://dev.test:8080, bücher.test"
)


def test_the_list_of_hosts() -> None:
    assert set(ALLOWED) == {
        Origin("https", "images.test", 443),
        Origin("https", "files.test", 8443),
        Origin("http", "plain.test", 80),
        Origin("http", "dev.test", 8080),
        Origin("https", "xn--bcher-kva.test", 443),
    }
    assert read_allowed_hosts("") == read_allowed_hosts(" , ") == frozenset()
    assert read_allowed_hosts("HTTPS://Images.Test:443/") == {Origin("https", "images.test", 443)}
    assert sorted(map(str, ALLOWED)) == [
        "http://dev.test:8080",
        "http://plain.test",
        "https://files.test:8443",
        "https://images.test",
        "https://xn--bcher-kva.test",
    ]


@pytest.mark.parametrize(
    "entry",
    [
        "*.images.test",
        "*",
        ".",
        "images.test/folder",
        "images.test?x",
        "images.test#x",
        "user@images.test",
        "images.test:0",
        "images.test:65536",
        "images.test:https",
        "ftp://images.test",
        "file:///etc",
        "images..test",
        "images.test.",
        "images test",
        "https://",
        "a%2eb",
        "i\nmages.test",
    ],
)
def test_an_entry_that_is_no_host_is_refused(entry: str) -> None:
    with pytest.raises(ValueError, match="neither HOST, HOST:PORT nor one of these"):
        read_allowed_hosts(f"images.test,{entry}")


@pytest.mark.parametrize(
    "entry", ["10.0.0.1", "127.1", "2130706433", "0x7f000001", "0177.1:80", "[::1]", "8.8.8.8"]
)
def test_an_entry_that_is_an_address_is_refused(entry: str) -> None:
    with pytest.raises(ValueError, match="is an address; the name of a host"):
        read_allowed_hosts(entry)


@pytest.mark.parametrize(
    ("text", "origin", "target"),
    [
        ("https://images.test/cat.jpg", "https://images.test", b"/cat.jpg"),
        ("HTTPS://IMAGES.TEST:443/Cat.JPG", "https://images.test", b"/Cat.JPG"),
        ("https://images.test", "https://images.test", b"/"),
        ("https://images.test?size=2", "https://images.test", b"/?size=2"),
        ("https://images.test/a%20b c/ü?q=a b#part", "https://images.test", b"/a%20b%20c/%C3%BC?q=a%20b"),
        ("https://images.test/a/../b", "https://images.test", b"/b"),
        ("https://images.test/@evil.test/", "https://images.test", b"/@evil.test/"),
        ("https://images.test/?u=http://10.0.0.1/", "https://images.test", b"/?u=http://10.0.0.1/"),
        ("https://files.test:8443/x", "https://files.test:8443", b"/x"),
        ("http://plain.test/x", "http://plain.test", b"/x"),
        ("http://dev.test:8080/x", "http://dev.test:8080", b"/x"),
        ("https://BÜCHER.test/x", "https://xn--bcher-kva.test", b"/x"),
        ("https://xn--bcher-kva.test/x", "https://xn--bcher-kva.test", b"/x"),
    ],
)
def test_urls_of_listed_hosts(text: str, origin: str, target: bytes) -> None:
    url = read_url(text, ALLOWED)
    assert (str(url.origin), url.target) == (origin, target)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("http://images.test/", "its URL is of http://images.test, which this server does not allow"),
        ("https://images.test:8443/", "https://images.test:8443, which"),
        ("https://files.test/", "https://files.test, which"),
        ("https://plain.test/", "https://plain.test, which"),
        ("https://sub.images.test/", "https://sub.images.test, which"),
        ("https://images.test.evil.test/", "does not allow"),
        ("https://images.test./", "does not allow"),
        ("https://evil.test\\.images.test/", "does not allow"),
        ("https://evil.test%2eimages.test/", "does not allow"),
        ("https://evil.test%23.images.test/", "does not allow"),
        ("https://127.0.0.1/", "does not allow"),
        ("https://2130706433/", "does not allow"),
        ("https://0x7f.1/", "does not allow"),
        ("https://[::1]/", "does not allow"),
        ("https://[::ffff:127.0.0.1]/", "does not allow"),
        ("https://images.test:99999999/", "does not allow"),
        ("https://images.test:-443/", "does not allow"),
        ("https://user@images.test/", "a user's name or password"),
        ("https://user:secret@images.test/", "a user's name or password"),
        ("https://images.test\\@evil.test/", "a user's name or password"),
        ("https://evil.test@images.test/", "a user's name or password"),
        ("https://images.test:443@evil.test/", "a user's name or password"),
        ("ftp://images.test/", "neither https nor http"),
        ("file:///etc/passwd", "neither https nor http"),
        ("gopher://images.test/", "neither https nor http"),
        ("data:image/png;base64,AAAA", "neither https nor http"),
        ("//images.test/cat.jpg", "neither https nor http"),
        ("images.test/cat.jpg", "neither https nor http"),
        ("/cat.jpg", "neither https nor http"),
        ("https:/images.test/", "has no host"),
        ("https:images.test", "has no host"),
        ("https:///images.test", "has no host"),
        ("", "neither https nor http"),
        ("https://images.test\r\n/", "cannot be read"),
        ("https://images.test/\tcat.jpg", "cannot be read"),
        (" https://images.test/", "cannot be read|neither https nor http"),
        ("https://images.test:https/", "cannot be read"),
        ("https://[::1/", "cannot be read"),
        ("https://[images.test]/", "cannot be read"),
        ("https://1.2.3.400/", "cannot be read"),
        ("https://images.test/" + "a" * 70_000, "cannot be read"),
        ("https://images.test/\ud800", "cannot be read"),
        ("https://\u2028images.test/", "cannot be read"),
    ],
)
def test_other_urls_are_refused(text: str, sentence: str) -> None:
    with pytest.raises(InvalidInput, match=sentence) as raised:
        read_url(text, ALLOWED)
    assert len(str(raised.value)) < 400


def test_without_a_list_every_url_is_refused() -> None:
    with pytest.raises(
        InvalidInput, match="this server fetches no URLs; the encoded image itself is accepted"
    ):
        read_url("https://images.test/cat.jpg", frozenset())


WORDS = [
    "https",
    "http",
    "//",
    "%2f",
    "%00",
    "images.test",
    "evil.test",
    "127.0.0.1",
    "::1",
    ":443",
    "xn--",
    "xn--a",
]
PIECES = st.sampled_from(WORDS) | st.sampled_from(":/\\@#?%[]。. \x00\u00ad\u2028\ud800ﬁİ🐈")


@given(st.text() | st.lists(PIECES).map("".join) | st.lists(PIECES).map(lambda p: "https://" + "".join(p)))
def test_any_text_is_a_url_of_a_listed_host_or_refused(text: str) -> None:
    try:
        url = read_url(text, ALLOWED)
    except InvalidInput:
        return
    assert isinstance(url, ImageUrl)
    assert url.origin in ALLOWED
    assert url.target.startswith(b"/")
    assert not set(url.target) & {*range(0x21), 0x7F}


@given(st.text() | st.lists(PIECES).map("".join))
def test_any_list_is_read_or_is_a_mistake(text: str) -> None:
    try:
        origins = read_allowed_hosts(text)
    except ValueError as error:
        sentence = str(error)
    else:
        sentence = ""
        assert read_allowed_hosts(",".join(map(str, origins))) == origins
    assert not sentence or "is an address" in sentence or "neither HOST" in sentence
