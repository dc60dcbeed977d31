"""A glossary as a CSV file: what is read, what is refused and where, and that nothing is lost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskpool.errors import SourceError
from maskpool.glossary import Kind, Word, table
from maskpool.glossary.words import shipped_words

HEAD = "word,kind,english\n"


def test_a_file_of_excel_s_is_read() -> None:
    text = '\ufeffWord, English\r\n国槐,pagoda tree\r\n\r\n"Ｔ恤","t-shirt"\r\n'
    assert table.read(text, "a.csv") == [
        Word("国槐", Kind.NOUN, "pagoda tree"),
        Word("Ｔ恤", Kind.NOUN, "t-shirt"),
    ]


def test_columns_may_stand_in_any_order() -> None:
    text = "english,word,kind\npale green,国槐色,colour\n"
    assert table.read(text, "a.csv") == [Word("国槐色", Kind.COLOUR, "pale green")]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", r"a\.csv, line 1: begins with ''; begin it with word,kind,english"),
        ("汽车,car\n", r"a\.csv, line 1: begins with '汽车,car'"),
        ("word,english,note\n", "line 1: begins with"),
        ("word,word,english\n", "line 1: begins with"),
        (HEAD, r"a\.csv: holds no word"),
        (f"{HEAD}国槐,verb,tree\n", "line 2: kind: 'verb' is none; .*nothing was taken in"),
        (f"{HEAD}国槐,noun\n", "line 2: english: it is empty"),
        (f"{HEAD}国槐,noun,tree,x\n", "line 2: it has more cells than the first line"),
        (f"{HEAD}国槐,noun,=cmd()\n", "line 2: english: '=cmd.*' begins like a formula"),
        (
            f"{HEAD}国槐,,a tree\n國槐,,b tree\n",
            "line 3: word: '國槐' is sent as 'a tree' and 'b tree'",
        ),
        (
            f"{HEAD}a,,b\n国槐,,tree\nc,,d\n",
            "line 2: word: 'a' holds no .*; line 4: word: 'c' holds",
        ),
        (f"{HEAD}" + "a,,b\n" * 9, "line 6: .*; and 4 more lines; nothing was taken in"),
        (f'{HEAD}国槐,noun,"tree\n', "line 2: is no CSV"),
    ],
)
def test_a_bad_file_is_refused_whole_with_its_lines(text: str, said: str) -> None:
    with pytest.raises(SourceError, match=said):
        table.read(text, "a.csv")


def test_the_same_line_twice_is_one_word() -> None:
    assert len(table.read(f"{HEAD}国槐,,tree\n國槐,,tree\n", "a.csv")) == 1


def test_too_many_words_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "MAX_WORDS", 1)
    with pytest.raises(SourceError, match="line 3: has more than 1 lines with words"):
        table.read(f"{HEAD}国槐,,tree\n槐花,,flower\n", "a.csv")


@given(st.lists(st.sampled_from(shipped_words()), min_size=1, unique=True))
def test_what_is_written_is_read_again(words: list[Word]) -> None:
    assert table.read("\ufeff" + table.write(words), "a.csv") == words
