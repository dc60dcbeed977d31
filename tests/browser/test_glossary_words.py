"""The glossary's page: words are tried, searched, added, changed, taken out, brought and kept."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect
from services.dropping import drop
from services.studio import PHONE, Desk

from maskpool.glossary import Kind, Word
from maskpool.settings import Settings
from producer import glossary
from producer.accounts import teams, users
from producer.accounts.audit import Actor
from producer.accounts.rights import Role
from producer.pool import Pool

ROOT = Actor(None, "root")


@dataclass
class Yard:
    """A team of somebody who is new, and its pool."""

    desk: Desk
    pool: Pool
    name: str
    team: str

    def put(self, word: str, english: str, kind: Kind = Kind.NOUN) -> None:
        """A word of the team's."""
        team = teams.find(self.pool, self.team)
        glossary.put(self.pool, ROOT, team, [Word(word, kind, english)])

    def words(self) -> dict[str, str | None]:
        """The team's words."""
        _, found = glossary.listing(self.pool, teams.find(self.pool, self.team))
        return {one.word: one.english for one in found}

    def open(self, path: str = "/glossary", **options: object) -> Page:
        return self.desk.open(path, self.name, **options)


def make(desk: Desk, role: Role) -> Yard:
    pool = Pool(Settings(home=desk.site.home, owner="ann"), desk.site.database)
    number = desk.new_number()
    name, team = f"zoe{number}", f"yard{number}"
    users.create(pool, ROOT, name, password="correct horse battery", admin=False)
    teams.create(pool, ROOT, team)
    teams.put_member(pool, ROOT, teams.find(pool, team), name, role)
    return Yard(desk, pool, name, team)


@pytest.fixture
def yard(desk: Desk) -> Yard:
    return make(desk, Role.ANNOTATOR)


def add(page: Page, word: str, english: str) -> None:
    page.get_by_label("Chinese", exact=True).fill(word)
    page.get_by_label("English", exact=True).fill(english)
    page.get_by_role("button", name="Add", exact=True).click()


def test_a_word_is_added_changed_taken_out_and_each_is_undone(yard: Yard) -> None:
    page = yard.open()
    expect(page.locator("#list-note")).to_contain_text("No words yet. Add one above")
    add(page, "国槐", "tree")
    said, rows = page.locator("#said"), page.locator("#rows tr")
    expect(said).to_contain_text("国槐 is sent as “tree” now.")
    expect(rows).to_have_count(1)
    word = page.get_by_label("Chinese", exact=True)
    expect(word).to_have_value("")
    expect(word).to_be_focused()
    page.get_by_role("button", name="Change the English of 国槐").click()
    field = page.get_by_label("English of 国槐", exact=True)
    expect(field).to_be_focused()
    field.fill("pagoda tree")
    field.press("Enter")
    expect(said).to_contain_text("now, and was as “tree”.")
    expect(rows).to_contain_text("pagoda tree")
    page.get_by_role("button", name="Undo").click()
    expect(said).to_have_text("It is as it was.")
    assert yard.words() == {"国槐": "tree"}
    page.get_by_role("button", name="Remove 国槐").click()
    expect(said).to_contain_text("国槐 is out.")
    expect(rows).to_have_count(0)
    assert yard.words() == {}
    undo = page.get_by_role("button", name="Undo")
    expect(undo).to_be_focused()
    undo.press("Enter")
    expect(rows).to_have_count(1)
    assert yard.words() == {"国槐": "tree"}
    add(page, "国槐", "oak")
    expect(said).to_contain_text("was as “tree”")
    page.get_by_role("button", name="Undo").click()
    expect(rows).to_contain_text("tree")


def test_a_word_that_is_sent_twice_is_put_once(yard: Yard) -> None:
    """The second would be a change of the first, and undone to it."""
    page = yard.open()
    sent: list[str] = []
    page.on("request", lambda one: sent.append(one.method))
    word = page.get_by_label("Chinese", exact=True)
    word.fill("国槐")
    page.get_by_label("English", exact=True).fill("tree")
    word.evaluate("({ form }) => { form.requestSubmit(); form.requestSubmit(); }")
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("#said")).to_have_text("It is as it was.")
    assert yard.words() == {}
    assert sent.count("PUT") == 1


def test_what_is_left_or_refused_changes_nothing(yard: Yard) -> None:
    yard.put("国槐", "tree")
    page = yard.open()
    page.get_by_role("button", name="Change the English of 国槐").click()
    field, said = page.get_by_label("English of 国槐", exact=True), page.locator("#said")
    field.fill("=cmd()")
    field.press("Enter")
    expect(said).to_contain_text("English: it begins like a formula")
    expect(field).to_be_focused()
    field.press("Escape")
    expect(field).to_have_count(0)
    expect(page.get_by_role("button", name="Change the English of 国槐")).to_be_focused()
    add(page, "car", "car")
    expect(said).to_contain_text("Chinese: it holds no Chinese character")
    add(page, "", "car")
    expect(said).to_contain_text("Write both")
    assert yard.words() == {"国槐": "tree"}


def test_a_phrase_is_tried_and_what_it_lacks_is_added(yard: Yard) -> None:
    page = yard.open()
    phrase, answer = page.get_by_label("A phrase in Chinese"), page.locator("#phrase-answer")
    phrase.fill("红色汽车")
    expect(answer).to_have_text("Sent asred car")
    phrase.fill("没有轮子的车")
    expect(answer).to_contain_text("“没有轮子” denies something")
    phrase.fill("戴帽子的人")
    expect(answer).to_contain_text("“戴帽子” is more than colours")
    phrase.fill("红色国槐")
    expect(answer).to_contain_text("“国槐” is not in the glossary")
    page.get_by_role("button", name="Add “国槐”").click()
    expect(page.get_by_label("Chinese", exact=True)).to_have_value("国槐")
    english = page.get_by_label("English", exact=True)
    expect(english).to_be_focused()
    english.fill("<b>pagoda</b> tree")
    english.press("Enter")
    expect(answer).to_have_text("Sent asred <b>pagoda</b> tree")


def test_what_is_typed_before_it_is_known_who_types_counts(yard: Yard) -> None:
    yard.put("国槐", "pagoda tree")
    yard.put("槐花", "flower")
    held: list[Route] = []
    context = yard.desk.person(yard.name)
    context.route("**/api/v1/session", lambda one: held.append(one))  # noqa: PLW0108
    page = context.new_page()
    page.goto(f"{yard.desk.site.url}/glossary")
    page.get_by_label("A phrase in Chinese").fill("红色国槐")
    page.get_by_label("Search words").fill("国槐")
    page.wait_for_timeout(600)
    for one in held:
        one.continue_()
    expect(page.locator("#phrase-answer")).to_have_text("Sent asred pagoda tree")
    expect(page.locator("#rows tr")).to_have_count(1)
    expect(page.get_by_label("Search words")).to_have_value("国槐")


def test_maskpool_s_words_are_searched_and_overruled(yard: Yard) -> None:
    page = yard.open("/glossary?list=shipped")
    rows = page.locator("#rows tr")
    expect(rows).to_have_count(100)
    page.get_by_role("button", name="Show more").click()
    expect(rows).to_have_count(200)
    expect(page.get_by_role("button", name="Add", exact=True)).to_be_hidden()
    search = page.get_by_label("Search words")
    search.fill("消防车")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("fire truck")
    page.get_by_role("button", name="Send other English for 消防车").click()
    expect(page.get_by_label("English", exact=True)).to_be_focused()
    page.get_by_label("English", exact=True).fill("fire engine")
    page.keyboard.press("Enter")
    expect(page.locator("#said")).to_contain_text("消防车 is sent as “fire engine”")
    page.get_by_role("radio", name="maskpool's").check(force=True)
    expect(rows).to_contain_text("Sent instead: fire engine")
    page.reload()
    expect(page.get_by_label("Search words")).to_have_value("消防车")
    expect(rows).to_contain_text("Sent instead: fire engine")
    page.get_by_label("Search words").fill("xyz")
    expect(page.locator("#list-note")).to_contain_text("No word of this list has that.")
    page.get_by_role("button", name="Clear the search").click()
    expect(rows).to_have_count(100)


HEAD = "\ufeffword,kind,english\r\n"


def test_a_dropped_file_is_shown_before_it_comes_in(yard: Yard) -> None:
    yard.put("国槐", "tree")
    yard.put("汽车", "car")
    page = yard.open()
    expect(page.locator("#import")).to_be_visible()
    lines = "国槐,noun,pagoda tree\r\n槐花,noun,<b>flower</b>\r\n汽车,noun,car\r\n"
    drop(page, {"good.csv": f"{HEAD}{lines}".encode()})
    note, would = page.locator("#import-note"), page.locator("#preview")
    expect(would).to_contain_text(
        "“good.csv” is not in yet. New: 1, with other English: 1, as they are already: 1."
    )
    expect(would.locator("li")).to_have_text(["国槐tree pagoda tree", "槐花new <b>flower</b>"])
    before = {"国槐": "tree", "汽车": "car"}
    assert yard.words() == before
    page.get_by_role("button", name="Leave it as it is").click()
    expect(would).to_be_hidden()
    assert yard.words() == before
    drop(page, {"good.csv": f"{HEAD}{lines}".encode()})
    take = page.get_by_role("button", name="Take them in")
    expect(take).to_be_focused()
    take.press("Enter")
    expect(note).to_contain_text("“good.csv”: 3 words read. New: 1, with other English: 1.")
    expect(would).to_be_hidden()
    expect(page.locator("#rows tr")).to_have_count(3)
    assert yard.words() == {**before, "国槐": "pagoda tree", "槐花": "<b>flower</b>"}
    with page.expect_download() as found:
        page.get_by_role("link", name="Download CSV").click()
    assert found.value.suggested_filename == f"glossary-{yard.team}.csv"
    kept = Path(found.value.path()).read_text("utf-8-sig").splitlines()
    assert sorted(kept[1:]) == sorted(lines.splitlines())
    drop(page, {"same.csv": f"{HEAD}{lines}".encode()})
    expect(note).to_contain_text("its 3 words are in the list already")


def test_what_came_in_is_undone_unless_somebody_changed_the_list(yard: Yard) -> None:
    yard.put("国槐", "tree")
    page = yard.open()
    note, take = page.locator("#import-note"), page.get_by_role("button", name="Take them in")
    undo = note.get_by_role("button", name="Undo")
    expect(page.locator("#import")).to_be_visible()
    drop(page, {"a.csv": f"{HEAD}国槐,noun,oak\r\n槐花,noun,flower\r\n".encode()})
    take.click()
    expect(undo).to_be_focused()
    undo.press("Enter")
    expect(note).to_have_text("It is as it was.")
    expect(page.locator("#rows tr")).to_have_count(1)
    assert yard.words() == {"国槐": "tree"}
    yard.desk.expected += ["412"]
    drop(page, {"a.csv": f"{HEAD}槐花,noun,flower\r\n".encode()})
    expect(take).to_be_visible()
    # What is shown is of before somebody else's change: it is shown anew.
    yard.put("槐花", "blossom")
    take.click()
    expect(page.locator("#preview")).to_contain_text("New: 0, with other English: 1")
    take.click()
    expect(undo).to_be_visible()
    yard.put("汽车", "car")
    undo.click()
    expect(note).to_contain_text("Somebody changed the list after that")
    assert yard.words() == {"国槐": "tree", "槐花": "flower", "汽车": "car"}


def test_lines_that_are_refused_are_named_and_nothing_comes_in(yard: Yard) -> None:
    page = yard.open()
    expect(page.locator("#import")).to_be_visible()
    note, refused = page.locator("#import-note"), page.locator("#refused li")
    drop(page, {"bad.csv": f"{HEAD}国槐,verb,x\r\n槐花,noun,flower\r\n汽车,noun,=1\r\n".encode()})
    expect(note).to_contain_text("2 lines are refused, so nothing was taken in.")
    expect(refused).to_have_count(2)
    expect(refused.first).to_have_text("Line 2Kind: it is none; write noun, colour or material.")
    expect(page.locator("#preview li")).to_have_text(["槐花new flower"])
    expect(page.get_by_role("button", name="Take them in")).to_have_count(0)
    drop(page, {"gbk.csv": "word,english\n国槐,tree\n".encode("gbk")})
    expect(note).to_contain_text("Line 2 is not UTF-8. In Excel")
    expect(refused.first).to_be_hidden()
    expect(page.locator("#preview")).to_be_hidden()
    assert yard.words() == {}


def test_the_list_follows_what_others_change(yard: Yard) -> None:
    yard.put("国槐", "tree")
    page = yard.open()
    rows = page.locator("#rows tr")
    change = page.get_by_role("button", name="Change the English of 国槐")
    change.focus()
    yard.put("槐花", "flower")
    expect(rows).to_have_count(2)
    expect(change).to_be_focused()
    # What somebody types is not taken from under them.
    change.click()
    field = page.get_by_label("English of 国槐", exact=True)
    field.fill("oak")
    yard.put("汽车", "car")
    page.wait_for_timeout(5000)
    expect(field).to_have_value("oak")
    field.press("Escape")
    expect(rows).to_have_count(3)


SAID = {
    "en": {
        "away": "The server cannot be reached.",
        "add": "Add",
        "word": "Chinese",
        "english": "English",
        "added": "国槐 is sent as “tree” now.",
        "sent": "Sent as",
    },
    "zh": {
        "away": "无法连接服务器",
        "add": "添加",
        "word": "中文",
        "english": "英文",
        "added": "“国槐”现在发送为“tree”。",
        "sent": "将发送",
    },
}


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_page_without_a_server_keeps_what_is_typed(yard: Yard, language: str) -> None:
    yard.put("汽车", "car")
    words = SAID[language]
    yard.desk.expected += ["ERR_INTERNET_DISCONNECTED", "Failed to fetch"]
    page = yard.open(language=language)
    rows, told = page.locator("#rows tr"), page.locator("#said")
    expect(rows).to_have_count(1)
    page.context.set_offline(True)
    page.get_by_label(words["word"], exact=True).fill("国槐")
    page.get_by_label(words["english"], exact=True).fill("tree")
    page.get_by_role("button", name=words["add"], exact=True).click()
    expect(told).to_contain_text(words["away"])
    expect(page.get_by_label(words["word"], exact=True)).to_have_value("国槐")
    expect(rows).to_have_count(1)
    assert yard.words() == {"汽车": "car"}
    page.context.set_offline(False)
    page.get_by_role("button", name=words["add"], exact=True).click()
    expect(told).to_contain_text(words["added"])
    expect(rows).to_have_count(2)
    assert yard.words() == {"汽车": "car", "国槐": "tree"}


@pytest.mark.parametrize("language", ["en", "zh"])
def test_who_has_several_teams_sees_the_words_of_each(yard: Yard, language: str) -> None:
    other = f"{yard.team}-two"
    teams.create(yard.pool, ROOT, other)
    teams.put_member(yard.pool, ROOT, teams.find(yard.pool, other), yard.name, Role.VIEWER)
    glossary.put(yard.pool, ROOT, teams.find(yard.pool, other), [Word("国槐", Kind.NOUN, "oak")])
    yard.put("国槐", "tree")
    words = SAID[language]
    page = yard.open(language=language)
    rows, answer = page.locator("#rows tr"), page.locator("#phrase-answer")
    choice = page.get_by_role("radio", name=yard.team, exact=True)
    expect(choice).to_be_checked()
    expect(rows).to_contain_text("tree")
    page.locator("#phrase").fill("红色国槐")
    expect(answer).to_have_text(f"{words['sent']}red tree")
    page.get_by_role("radio", name=other, exact=True).check(force=True)
    expect(rows).to_contain_text("oak")
    expect(page.locator("#add")).to_be_hidden()
    # The phrase is of the team whose words are shown.
    expect(answer).to_have_text(f"{words['sent']}red oak")
    assert other not in page.url
    assert str(teams.find(yard.pool, other).id) in page.url
    page.reload()
    expect(page.get_by_role("radio", name=other, exact=True)).to_be_checked()
    expect(rows).to_contain_text("oak")


def test_a_viewer_reads_and_is_offered_no_change(desk: Desk) -> None:
    yard = make(desk, Role.VIEWER)
    yard.put("国槐", "tree")
    page = yard.open()
    expect(page.locator("#rows tr")).to_have_count(1)
    expect(page.locator("#list-what")).to_contain_text("You may read this list")
    for name in ("Add", "Change the English of 国槐", "Remove 国槐", "Choose a file"):
        expect(page.get_by_role("button", name=name, exact=True)).to_be_hidden()
    page.get_by_label("A phrase in Chinese").fill("漂亮的汽车")
    expect(page.locator("#phrase-answer")).to_contain_text("not in the glossary")
    expect(page.get_by_role("button", name="Add “漂亮”")).to_have_count(0)
    drop(page, {"good.csv": "word,english\n槐花,flower\n".encode()})
    expect(page.locator("#said")).to_have_text("You may read this list, and not change it.")
    page.get_by_role("radio", name="The pool's").check(force=True)
    expect(page.locator("#list-note")).to_contain_text("No words yet.")
    assert yard.words() == {"国槐": "tree"}


def test_a_list_that_does_not_come_is_asked_again(yard: Yard) -> None:
    yard.put("国槐", "tree")
    yard.desk.expected += ["503", "status of 5"]
    page = yard.desk.person(yard.name).new_page()
    page.route("**/glossary?limit*", lambda route: route.fulfill(status=503, body="x"))
    page.goto(f"{yard.desk.site.url}/glossary")
    again = page.get_by_role("button", name="Try again")
    expect(again).to_be_visible()
    page.unroute("**/glossary?limit*")
    again.click()
    expect(page.locator("#rows tr")).to_have_count(1)


def test_it_is_said_in_chinese_and_fits_a_phone(yard: Yard) -> None:
    yard.put("国槐", "pagoda tree")
    yard.put("国槐色", "pale green", Kind.COLOUR)
    page = yard.open(language="zh", window=PHONE)
    expect(page.get_by_role("heading", level=1)).to_have_text("词汇表")
    expect(page.locator("#rows tr")).to_have_count(2)
    page.get_by_label("中文短语").fill("没有轮子的车")
    expect(page.locator("#phrase-answer")).to_contain_text("“没有轮子”表示否定")
    page.get_by_role("button", name="修改“国槐”的英文").click()
    expect(page.get_by_label("“国槐”的英文", exact=True)).to_be_focused()
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]
    drop(page, {"bad.csv": "word,english\n国槐,树\n".encode()})
    expect(page.locator("#refused li")).to_have_text("第 2 行英文：含有汉字，请写要发送的英文。")
    drop(page, {"good.csv": "word,english\n国槐,oak\n槐花,flower\n".encode()})
    expect(page.locator("#preview")).to_contain_text("尚未导入：新增 1 个，1 个改英文，0 个不变。")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]
    page.get_by_role("button", name="导入", exact=True).click()
    expect(page.locator("#rows tr")).to_have_count(3)
    page.locator("#import-note").get_by_role("button").click()
    expect(page.locator("#rows tr")).to_have_count(2)
    assert yard.words() == {"国槐": "pagoda tree", "国槐色": "pale green"}
