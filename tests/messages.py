"""What an error says."""

import pytest


def refused(call, error, words):
    """The call raises this error; its message begins with the first word, and has all of them."""
    with pytest.raises(error) as caught:
        call()
    said = str(caught.value)
    assert said.startswith(words[0] + ":") and all(word in said for word in words), said
