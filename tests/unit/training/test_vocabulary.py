"""Phrases and the tokenizer."""

import pytest
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from training.vocabulary import (
    BOS_ID,
    COLOURS,
    EOS_ID,
    MAX_TOKENS,
    PAD_ID,
    SHAPES,
    UNK_ID,
    Phrase,
    build_tokenizer,
    combinations,
    plural,
    words,
)


@pytest.fixture(scope="module")
def reloaded(tmp_path_factory: pytest.TempPathFactory) -> PreTrainedTokenizerFast:
    folder = tmp_path_factory.mktemp("tokenizer")
    build_tokenizer().save_pretrained(folder)
    return AutoTokenizer.from_pretrained(folder)


def test_there_is_one_phrase_for_each_colour_and_shape() -> None:
    texts = [phrase.text for phrase in combinations()]
    assert len(set(texts)) == len(COLOURS) * len(SHAPES)
    assert "red circle" in texts


@pytest.mark.parametrize(
    ("phrase", "text"),
    [
        (Phrase("red", "circle"), "red circle"),
        (Phrase(None, "star"), "star"),
        (Phrase("blue", None), "blue shape"),
        (Phrase(None, None), "shape"),
    ],
)
def test_phrases_read_plainly(phrase: Phrase, text: str) -> None:
    assert phrase.text == text


def test_phrases_match_what_they_name() -> None:
    assert Phrase("red", None).matches("red", "star")
    assert Phrase(None, "star").matches("red", "star")
    assert not Phrase("red", "circle").matches("red", "star")


def test_plurals() -> None:
    assert [plural(shape) for shape in SHAPES] == [
        "circles",
        "squares",
        "triangles",
        "stars",
        "crosses",
    ]


def test_known_words_have_ids_of_their_own(reloaded: PreTrainedTokenizerFast) -> None:
    ids = [reloaded(word)["input_ids"] for word in words()]
    assert all(row[0] == BOS_ID and row[-1] == EOS_ID and len(row) == 3 for row in ids)
    assert len({row[1] for row in ids}) == len(words())
    assert UNK_ID not in {row[1] for row in ids}


def test_case_does_not_matter_and_unknown_words_are_marked(
    reloaded: PreTrainedTokenizerFast,
) -> None:
    assert reloaded("A Red CIRCLE")["input_ids"] == reloaded("a red circle")["input_ids"]
    assert reloaded("zebra")["input_ids"] == [BOS_ID, UNK_ID, EOS_ID]


def test_padding_reaches_the_model_s_length(reloaded: PreTrainedTokenizerFast) -> None:
    tokens = reloaded(["red circle"], padding="max_length", truncation=True)
    assert reloaded.model_max_length == MAX_TOKENS
    assert tokens["input_ids"][0][4:] == [PAD_ID] * (MAX_TOKENS - 4)
    assert tokens["attention_mask"][0] == [1] * 4 + [0] * (MAX_TOKENS - 4)
    special = (
        reloaded.pad_token_id,
        reloaded.bos_token_id,
        reloaded.eos_token_id,
        reloaded.unk_token_id,
    )
    assert special == (PAD_ID, BOS_ID, EOS_ID, UNK_ID)
