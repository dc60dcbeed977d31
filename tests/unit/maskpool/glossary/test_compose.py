"""Phrases: what is sent for them, and what is refused rather than guessed."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskpool.errors import SpecError
from maskpool.glossary import Glossary, GlossaryError, Kind, Why, Word, compose, shipped
from maskpool.glossary.chinese import has_chinese, plain
from maskpool.glossary.words import shipped_words


@pytest.mark.parametrize(
    ("typed", "sent"),
    [
        ("红色汽车", "red car"),
        ("红汽车", "red car"),
        ("红的汽车", "red car"),
        ("红色的汽车", "red car"),
        ("红色 的 汽车", "red car"),
        ("公交车", "bus"),
        ("公共汽车", "bus"),
        ("巴士", "bus"),
        ("红色的木头的椅子", "red wooden chair"),
        ("木头的红色的椅子", "red wooden chair"),
        ("红色白色的汽车", "red and white car"),
        ("红色红色汽车", "red car"),
        ("红色的皮卡车", "red pickup truck"),
        ("黑色皮沙发", "black leather sofa"),
        ("不锈钢水杯", "stainless steel water bottle"),
        ("红木椅子", "rosewood chair"),
        ("木桌子", "wooden table"),
        ("深蓝色汽车", "dark blue car"),
        ("紅色的計程車", "red taxi"),
        ("腳踏車", "bicycle"),
        ("３Ｄ打印机", "3d printer"),
        ("t恤", "t-shirt"),
        ("红色Ｔ恤", "red t-shirt"),
        ("u 盘", "usb flash drive"),
        # What words stand for, and characters do not.
        ("白菜", "napa cabbage"),
        ("红绿灯", "traffic light"),
        ("黑板", "blackboard"),
        ("金鱼", "goldfish"),
        ("斑马线", "crosswalk"),
        ("热狗", "hot dog"),
        ("公牛", "bull"),
        ("牛", "cow"),
        ("木瓜", "papaya"),
        ("黄油", "butter"),
        ("银行", "bank building"),
        ("海马", "seahorse"),
        ("马路", "road"),
        ("红酒", "red wine"),
        ("白酒", "baijiu"),
        ("红茶", "black tea"),
    ],
)
def test_a_phrase_that_the_glossary_covers_is_sent(typed: str, sent: str) -> None:
    assert compose(shipped(), typed).sent == sent


@pytest.mark.parametrize(
    ("typed", "why", "rest"),
    [
        ("戴帽子的人", Why.ACTION, "戴帽子"),
        ("穿红色衣服的人", Why.ACTION, "穿红色衣服"),
        ("没有轮子的车", Why.NEGATION, "没有轮子"),
        ("沒有輪子的車", Why.NEGATION, "没有轮子"),
        ("不红的车", Why.NEGATION, "不"),
        ("非机动车", Why.NEGATION, "非"),
        ("一辆红色汽车", Why.COUNT, "一辆"),
        ("３只狗", Why.COUNT, "3只"),
        ("红色 car", Why.MIXED, "car"),
        ("红色", Why.NO_NOUN, "红色"),
        ("红色的", Why.NO_NOUN, "红色的"),
        ("木头", Why.NO_NOUN, "木头"),
        ("漂亮的汽车", Why.UNKNOWN, "漂亮"),
        ("汽车红色", Why.UNKNOWN, "汽车红色"),
        ("赤い自転車", Why.UNKNOWN, "赤い自転"),
        ("黄牛", Why.GLUED, "黄牛"),
        ("黑车", Why.GLUED, "黑车"),
        ("红绿灯杆", Why.GLUED, "红绿灯杆"),
        ("黄金鱼", Why.AMBIGUOUS, "yellow goldfish"),
        ("玉米粒", Why.AMBIGUOUS, "jade rice grain"),
        ("白菜花", Why.AMBIGUOUS, "white cauliflower"),
        ("銀行李箱", Why.AMBIGUOUS, "silver suitcase"),
        ("黄灯泡", Why.AMBIGUOUS, "yellow light bulb"),
    ],
)
def test_what_would_be_a_guess_is_refused(typed: str, why: Why, rest: str) -> None:
    with pytest.raises(GlossaryError) as refused:
        compose(shipped(), typed, "prompts[1].text")
    assert (refused.value.why, refused.value.rest) == (why, rest)
    assert str(refused.value).startswith(f"prompts[1].text: '{typed}' is not sent")
    assert refused.value.params == {
        "field": "prompts[1].text",
        "text": typed,
        "rest": rest,
        "other": refused.value.other,
    }


def test_two_characters_are_shown_apart() -> None:
    with pytest.raises(GlossaryError, match="write '黑色的车'"):
        compose(shipped(), "黑车")
    assert compose(shipped(), "黑色的车").sent == "black vehicle"


def test_a_long_phrase_is_refused_at_once() -> None:
    with pytest.raises(GlossaryError):
        compose(shipped(), "红" * 5_000 + "汽车")


def test_words_laid_over_win_and_the_others_stay() -> None:
    team = shipped().overlaid(
        "1.0.3",
        [
            Word("汽车", Kind.NOUN, "automobile"),
            Word("黑車", Kind.NOUN, "unlicensed taxi"),
            Word("国槐色", Kind.COLOUR, "pale green"),
        ],
    )
    assert team.version == "1.0.3"
    assert compose(team, "红色汽车").sent == "red automobile"
    assert compose(team, "黑车").sent == "unlicensed taxi"
    assert compose(team, "国槐色的自行车").sent == "pale green bicycle"
    assert compose(shipped(), "红色汽车").sent == "red car", "the shipped list stays as it is"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        (("", "noun", "car"), "word: it is empty"),
        (("car", "noun", "car"), "word: 'car' holds no Chinese"),
        (("汽车", "verb", "car"), "kind: 'verb' is none"),
        (("汽车", "noun", ""), "english: it is empty"),
        (("汽车", "noun", "汽车"), "english: '汽车' holds Chinese"),
        (("汽车", "noun", "=1+1"), "english: '=1\\+1' begins like a formula"),
        (("@汽车", "noun", "car"), "word: '@汽车' begins like a formula"),
        (("汽\x00车", "noun", "car"), "word: it holds a control"),
        (("汽" * 41, "noun", "car"), "word: it has 41 characters; 40"),
        (("汽车", "noun", "c" * 101), "english: it has 101 characters; 100"),
        (("汽车", "noun", "a b " * 16), "english: has at least"),
    ],
)
def test_a_word_that_is_none_is_refused(fields: tuple[str, str, str], said: str) -> None:
    with pytest.raises(SpecError, match=said):
        Word.checked(*fields)


def test_a_glossary_without_words_refuses_everything() -> None:
    with pytest.raises(GlossaryError) as refused:
        compose(Glossary.of("0.0.0", []), "汽车")
    assert refused.value.why is Why.UNKNOWN


@pytest.mark.parametrize("text", ["", "car", "Größe", "ｃａｒ", "машина", "くるま", "🚗", "é"])
def test_other_writings_are_no_chinese(text: str) -> None:
    assert not has_chinese(text)


@pytest.mark.parametrize("text", ["车", "a车", "⾞", "豈", "〇", "𠀀"])
def test_each_kind_of_chinese_character_is_seen(text: str) -> None:
    assert has_chinese(text)


def test_radicals_and_blanks_become_the_usual_ones() -> None:
    assert plain("　⾞ 輛　") == "车辆"
    assert plain("LED 灯") == "led灯"


@given(st.text("红色的木头椅子汽车金鱼黄油白菜没一辆car 紅車0", max_size=14))
def test_every_phrase_is_sent_or_refused(text: str) -> None:
    """Nothing else comes out, and what is sent is made of the glossary's own words."""
    with suppress(GlossaryError):
        sent = compose(shipped(), text).sent
        known = {part for word in shipped_words() for part in word.english.split()} | {"and"}
        assert set(sent.split()) <= known


@given(
    st.lists(st.sampled_from([w for w in shipped_words() if w.kind is Kind.COLOUR]), max_size=2),
    st.sampled_from([w for w in shipped_words() if w.kind is Kind.NOUN]),
)
def test_with_every_particle_a_phrase_is_never_refused(colours: list[Word], noun: Word) -> None:
    phrase = "".join(f"{one.word}的" for one in colours) + noun.word
    english = " and ".join(dict.fromkeys(one.english for one in colours))
    assert compose(shipped(), phrase).sent == f"{english} {noun.english}".strip()
