"""models/chat/address.py: where requests go, and what a run may say of it."""

import pytest

from worthit.datasets.errors import OptionError
from worthit.models.chat import address


@pytest.mark.parametrize(
    ("given", "url", "shown"),
    [
        ("http://localhost:8080/v1/", "http://localhost:8080/v1/chat/completions", "this machine"),
        ("http://127.0.0.1:11434", "http://127.0.0.1:11434/v1/chat/completions", "this machine"),
        ("http://[::1]:80/v1", "http://[::1]:80/v1/chat/completions", "this machine"),
        ("https://api.example.com/t/9/v1", "https://api.example.com/t/9/v1/chat/completions", "api.example.com"),
        ("http://10.0.0.7:8000/v1", "http://10.0.0.7:8000/v1/chat/completions", "a private network"),
        ("http://gpu3:8000/v1", "http://gpu3:8000/v1/chat/completions", "a private network"),
        ("https://llm.corp/v1", "https://llm.corp/v1/chat/completions", "a private network"),
        (
            "https://x.example.com/openai/chat/completions?api-version=2",
            "https://x.example.com/openai/chat/completions?api-version=2",
            "x.example.com",
        ),
    ],
)  # fmt: skip
def test_an_address_is_completed_and_shown_without_path_and_private_names(
    given: str, url: str, shown: str
) -> None:
    found = address.parse(given)
    assert (found.url, found.shown) == (url, shown)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("https://me:hunter2@api.example.com/v1", "holds a user name or a password"),
        ("https://hunter2@api.example.com/v1", "holds a user name or a password"),
        ("https://api.example.com/v1?key=hunter2", "only api-version is allowed"),
        ("https://api.example.com/v1#hunter2", "only api-version is allowed"),
        ("ftp://hunter2.example.com", "is not an http or https address"),
        ("hunter2", "is not an http or https address"),
        ("http://host:hunter2/v1", "is not an address"),
    ],
)
def test_an_address_that_may_hold_a_key_is_refused_without_repeating_it(
    given: str, message: str
) -> None:
    with pytest.raises(OptionError, match=message) as caught:
        address.parse(given)
    assert "hunter2" not in str(caught.value)
    assert "\n" not in str(caught.value)
