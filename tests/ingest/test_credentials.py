"""What is masked wherever it would be shown, logged or sent on (D11, S17)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.credentials import IN_TEXT, cover, is_secret, masked, masked_text


@pytest.mark.parametrize(
    "text",
    [
        "https://bob:hunter2@db.example/x",
        "GET /hook?token=hunter2&x=1",
        "GET /hook?x=1&api_key=hunter2",
        "Authorization: Bearer hunter2hunter2",
        "KeyError: {'response_token': 'hunter2'}",
        """bad request {"response_token": "hunter2 \\" hunter2", "n": 1}""",
        "call(response_token='hunter2 hunter2', n=1)",
        "response_token=hunter2",
        "db_password=hunter2,",
    ],
)
def test_d11_a_credential_inside_a_text_is_masked(text: str) -> None:
    assert "hunter2" not in masked_text(text)


@pytest.mark.parametrize(
    "text",
    [
        "Unexpected token: ',' at 3",
        "the tokenizer said 7",
        "KeyError: 'response_token'",
        "https://db.example/x?page=2",
        "dedup_key=disk-7",
    ],
)
def test_other_texts_stay_as_they_are(text: str) -> None:
    assert masked_text(text) == text


def test_d11_a_json_value_loses_its_credentials_alone() -> None:
    value = {
        "inserted": 2,
        "response_token": "hunter2",
        "auth": {"a": ["hunter2", 7, None, True, ""]},
        "said": ["see https://u:hunter2@x.example/", 1.5],
    }

    assert masked(value) == {
        "inserted": 2,
        "response_token": "•••",
        "auth": {"a": ["•••", "•••", None, True, ""]},
        "said": ["see https://•••@x.example/", 1.5],
    }


def test_names() -> None:
    assert is_secret("response_token")
    assert not is_secret("dedup_key")


@pytest.mark.parametrize("part", ["a-", "token", "passw", "'token", "x?token=", "://a:", "token=\\'", 'token="\\'])
def test_a_long_text_made_to_hold_the_masking_up_is_done_at_once(part: str) -> None:
    """As long as a traceback may be. In quadratic time it would run into the test's timeout."""
    masked_text(part * (64 * 1024 // len(part)))


@given(
    st.lists(st.sampled_from([*"=:@ &?'\"/.", "Bearer", "basic ", "\u00a0", "token", "api_key", "abcdefgh12", "://"]))
)
def test_the_quick_look_passes_over_nothing_that_is_masked(parts: list[str]) -> None:
    text = "".join(parts)
    assert masked_text(text) == IN_TEXT.sub(cover, text)
