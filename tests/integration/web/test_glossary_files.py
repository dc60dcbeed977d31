"""Words of a glossary by the API: searched, changed by versions, and as CSV files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from services.door import Door, open_door

from maskpool.glossary import Kind, Word, table
from producer import glossary
from producer.accounts import audit
from producer.accounts.audit import Actor
from producer.accounts.teams import find

ACTOR = Actor(None, "ann")
HEAD = "\ufeffword,kind,english\r\n"


@pytest.fixture
def door(sqlite_url: str, tmp_path: Path) -> Iterator[Door]:
    with open_door(sqlite_url, tmp_path) as door:
        yield door


def at(door: Door, path: str = "") -> str:
    return f"/api/v1/teams/{door.team}/glossary{path}"


def send(door: Door, content: bytes | str, who: str = "maker", **headers: str) -> Any:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    asked = {**door.cookie(who), "content-type": "text/csv", **named}
    return door.client.post(at(door, "/csv"), content=content, headers=asked)


def words(door: Door, **query: str) -> list[str]:
    headers = door.cookie("viewer")
    answer = door.client.get(at(door), params=query, headers=headers)
    assert answer.status_code == 200, answer.text
    return [one["word"] for one in answer.json()["words"]]


def test_a_file_comes_in_as_one_change_and_out_as_it_came(door: Door) -> None:
    content = f"{HEAD}国槐,noun,pagoda tree\r\n国槐色,colour,pale green\r\n"
    done = send(door, content)
    assert done.json() == {"version": 1, "words": 2, "added": 2, "changed": 0}
    again = send(door, content.replace("pagoda", "scholar") + "槐花,noun,flower\r\n")
    assert again.json() == {"version": 2, "words": 3, "added": 1, "changed": 1}
    assert send(door, "word,english\n槐花,flower\n").json()["version"] == 2, "nothing is new"
    out = door.client.get(at(door, "/csv"), headers=door.cookie("viewer"))
    assert out.headers["content-type"] == "text/csv; charset=utf-8"
    assert out.headers["content-disposition"].endswith("glossary-cats.csv")
    assert out.text.removeprefix("\ufeff").startswith("word,kind,english\n")
    assert out.content.startswith(b"\xef\xbb\xbfword")
    assert "国槐,noun,scholar tree\n" in out.text
    assert send(door, out.content).json()["version"] == 2
    changes = [one for one in audit.page(door.pool) if one.action == "glossary.put"]
    assert len(changes) == 2
    assert {one.user_name for one in changes} == {"maker"}


@pytest.mark.parametrize(
    ("content", "code", "line"),
    [
        ("", "head", 1),
        ("车,car\n".encode(), "head", 1),
        (HEAD, "no_word", None),
        (f'{HEAD}国槐,noun,"tree', "no_csv", 2),
        (f"{HEAD}国槐,noun,".encode() + "树".encode("gbk"), "encoding", 2),
    ],
)
def test_what_is_no_list_is_refused_by_a_code(
    door: Door, content: bytes | str, code: str, line: int | None
) -> None:
    answer = send(door, content)
    assert (answer.status_code, answer.json()["code"]) == (422, f"glossary_file.{code}")
    assert answer.json()["params"]["line"] == line
    assert words(door) == []


def test_each_refused_line_is_named_and_nothing_is_taken_in(door: Door) -> None:
    bad = "国槐,verb,x\r\n汽车,noun,=cmd()\r\ncar,noun,x\r\n卡车,noun,x,y\r\n"
    answer = send(door, f"{HEAD}槐花,noun,flower\r\n{bad}槐花,noun,bloom\r\n").json()
    assert answer["code"] == "glossary_file.lines"
    assert answer["params"]["count"] == 5
    named = [(one["line"], one["field"], one["why"]) for one in answer["params"]["lines"]]
    assert named == [
        (3, "kind", "kind"),
        (4, "english", "formula"),
        (5, "word", "not_chinese"),
        (6, "", "cells"),
        (7, "word", "twice"),
    ]
    assert words(door) == []
    many = send(door, HEAD + "a,noun,b\r\n" * 300).json()["params"]
    assert (many["count"], len(many["lines"])) == (300, 100)


def test_a_file_has_an_end(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    large = send(door, b"x" * (table.MAX_BYTES + 1))
    assert (large.status_code, large.json()["code"]) == (413, "too_large")
    monkeypatch.setattr(table, "MAX_WORDS", 2)
    answer = send(door, HEAD + "国槐,noun,tree\r\n" * 3).json()
    assert (answer["code"], answer["params"]["line"]) == ("glossary_file.words", 4)


def test_the_same_import_again_is_answered_alike(door: Door) -> None:
    content = f"{HEAD}国槐,noun,tree\r\n"
    first, second = (send(door, content, idempotency_key="k") for _ in range(2))
    assert first.json() == second.json() == {"version": 1, "words": 1, "added": 1, "changed": 0}
    assert second.headers["idempotency-replayed"] == "true"
    other = send(door, f"{content}槐花,,x\r\n", idempotency_key="k")
    assert other.json()["code"] == "idempotency.body"


def test_a_viewer_reads_and_changes_nothing(door: Door) -> None:
    glossary.put(door.pool, ACTOR, find(door.pool, "cats"), [Word("国槐", Kind.NOUN, "tree")])
    assert words(door) == ["国槐"]
    assert send(door, f"{HEAD}槐花,noun,x\r\n", "viewer").status_code == 403
    assert send(door, f"{HEAD}槐花,noun,x\r\n", "other team's owner").status_code == 404


def test_words_are_searched_in_any_writing_and_by_their_english(door: Door) -> None:
    some = [Word("國槐", Kind.NOUN, "Pagoda tree"), Word("槐花", Kind.NOUN, "flower")]
    glossary.put(door.pool, ACTOR, find(door.pool, "cats"), some)
    for query in ("国", "國槐", "PAGODA"):
        assert words(door, q=query) == ["國槐"]
    assert words(door, q="槐", limit="1") == ["國槐"]
    assert words(door, q="%") == []
    query = {"source": "shipped", "q": "消防车", "team": str(door.team)}
    url, headers = "/api/v1/glossary", door.cookie("viewer")
    found = door.client.get(url, params=query, headers=headers).json()["words"]
    assert [(one["english"], one["overruled"]) for one in found] == [("fire truck", None)]


def test_a_word_says_what_lies_over_it(door: Door) -> None:
    glossary.put(door.pool, ACTOR, None, [Word("汽车", Kind.NOUN, "automobile")])
    url, headers = "/api/v1/glossary", door.cookie("viewer")

    def over(**query: str) -> Any:
        found = door.client.get(url, params={"q": "汽车", **query}, headers=headers).json()
        return next(one["overruled"] for one in found["words"] if one["word"] == "汽车")

    assert (over(), over(source="shipped")) == (None, "automobile")
    mine = [Word("汽車", Kind.NOUN, "sedan")]
    glossary.put(door.pool, ACTOR, find(door.pool, "cats"), mine)
    team = str(door.team)
    assert (over(team=team), over(source="shipped", team=team)) == ("sedan", "sedan")
    assert (over(), over(source="shipped")) == (None, "automobile")
    query = {"team": str(door.other_team)}
    assert door.client.get(url, params=query, headers=headers).status_code == 404


@pytest.mark.parametrize("who", ["maker", "admin"])
def test_a_list_is_known_by_its_version_and_a_late_change_is_refused(door: Door, who: str) -> None:
    url, headers = at(door) if who == "maker" else "/api/v1/glossary", door.cookie(who)
    etag = door.client.get(url, headers=headers).headers["etag"]
    same = door.client.get(url, headers={**headers, "if-none-match": etag})
    assert (same.status_code, same.content) == (304, b"")
    match = {**headers, "if-match": etag}
    tree = {"english": "tree"}
    assert door.client.put(f"{url}/国槐", json=tree, headers=match).status_code == 200
    late = door.client.put(f"{url}/槐花", json=tree, headers=match)
    assert (late.status_code, late.json()["code"]) == (412, "stale")
    assert door.client.put(f"{url}/国槐", json=tree, headers=match).status_code == 412
    assert door.client.delete(f"{url}/国槐", headers=match).status_code == 412
    content = f"{HEAD}槐花,noun,x\r\n".encode()
    assert door.client.post(f"{url}/csv", content=content, headers=match).status_code == 412
    now = door.client.get(url, headers={**headers, "if-none-match": etag})
    assert [one["word"] for one in now.json()["words"]] == ["国槐"]


def test_a_refused_word_says_why_for_programs(door: Door) -> None:
    asked, headers = {"english": "树"}, door.cookie("maker")
    answer = door.client.put(at(door, "/国槐"), json=asked, headers=headers).json()
    assert (answer["code"], answer["params"]["why"]) == ("spec.refused", "chinese")


def test_a_change_says_what_was_sent_before(door: Door) -> None:
    url, headers = at(door, "/国槐"), door.cookie("maker")
    told = [
        door.client.put(url, json={"english": english}, headers=headers).json()
        for english in ("tree", "tree", "pagoda tree")
    ]
    assert [(one["version"], one["before"]) for one in told] == [(1, None), (1, None), (2, "tree")]
    gone = door.client.delete(url, headers=headers)
    assert gone.json() == {"version": 3, "before": "pagoda tree"}


def look(door: Door, content: str, **headers: str) -> Any:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    asked = {**door.cookie("maker"), "content-type": "text/csv", **named}
    url = at(door, "/csv?dry_run=true")
    return door.client.post(url, content=content.encode(), headers=asked)


def test_a_file_is_looked_at_and_nothing_is_written(door: Door) -> None:
    send(door, f"{HEAD}国槐,noun,tree\r\n槐花,noun,flower\r\n")
    content = f"{HEAD}国槐,noun,pagoda tree\r\n槐花,noun,flower\r\n国槐色,colour,pale green\r\n"
    answer = look(door, content)
    assert answer.status_code == 200
    assert answer.json() == {
        "version": 1,
        "words": 3,
        "added": 1,
        "changed": 1,
        "same": 1,
        "refused": 0,
        "first": [
            {"word": "国槐", "kind": "noun", "before": "tree", "english": "pagoda tree"},
            {"word": "国槐色", "kind": "colour", "before": None, "english": "pale green"},
        ],
        "lines": [],
    }
    assert len([one for one in audit.page(door.pool) if one.action.startswith("glossary")]) == 1
    etag = answer.headers["etag"]
    listed = door.client.get(at(door), headers=door.cookie("viewer"))
    assert (etag, words(door)) == (listed.headers["etag"], ["国槐", "槐花"])
    done = send(door, content, if_match=etag)
    assert done.json() == {"version": 2, "words": 3, "added": 1, "changed": 1}
    assert look(door, content).json()["same"] == 3
    assert look(door, content, if_match=etag).status_code == 412


def test_refused_lines_are_shown_beside_those_that_are_good(door: Door) -> None:
    content = f"{HEAD}国槐,verb,x\r\n槐花,noun,flower\r\n汽车,noun,=1\r\n"
    found = look(door, content).json()
    assert (found["added"], found["refused"]) == (1, 2)
    assert [(one["line"], one["field"], one["why"]) for one in found["lines"]] == [
        (2, "kind", "kind"),
        (4, "english", "formula"),
    ]
    many = look(door, HEAD + "".join(f"国槐,verb,x{n}\r\n" for n in range(150))).json()
    assert (many["refused"], len(many["lines"])) == (150, 100)
    assert look(door, "nonsense").json()["code"] == "glossary_file.head"
    assert words(door) == []


def test_a_list_is_taken_back_to_what_it_was(door: Door) -> None:
    url, headers = at(door, "/revert"), door.cookie("maker")

    def back(version: int, **match: str) -> Any:
        return door.client.post(url, json={"version": version}, headers={**headers, **match})

    send(door, f"{HEAD}国槐,noun,tree\r\n槐花,noun,flower\r\n")
    door.client.delete(at(door, "/槐花"), headers=headers)
    brought = send(door, f"{HEAD}国槐,noun,oak\r\n国槐色,colour,pale green\r\n")
    etag = brought.headers["etag"]
    assert brought.json()["version"] == 3
    assert etag == door.client.get(at(door), headers=headers).headers["etag"]
    assert back(2, **{"if-match": etag}).json() == {"version": 4, "changed": 2}
    out = door.client.get(at(door, "/csv"), headers=headers)
    assert out.text.splitlines()[1:] == ["国槐,noun,tree"]
    # What was there before that is not lost either.
    assert back(1).json() == {"version": 5, "changed": 1}
    assert words(door) == ["国槐", "槐花"]
    assert back(0).json()["version"] == 6
    assert words(door) == []
    assert back(3).json()["version"] == 7
    assert words(door) == ["国槐", "国槐色"]
    late = back(0, **{"if-match": etag})
    assert (late.status_code, late.json()["code"]) == (412, "stale")
    assert back(8).status_code == 404
    assert back(7).json() == {"version": 8, "changed": 0}
    actions = [one.action for one in audit.page(door.pool) if "glossary" in one.action]
    assert actions.count("glossary.revert") == 4
