"""The pool's words and a team's: rows that only come, and what is sent by them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from services.door import Door, open_door
from services.plain_pool import PlainPool
from sqlalchemy import event, select, update

from db import glossary as rows
from db import uploads, workers
from db.models import BatchRow, TaskRow, WorkerRow
from db.upload_files import NewFile, UploadFile, note
from db.workers import WorkerInfo
from maskpool.abilities import Ability, needed
from maskpool.errors import ConfigError, Conflict, NotFound, SpecError
from maskpool.glossary import GlossaryError, Kind, Why, Word
from maskpool.spec import BatchSpec, same_question
from maskpool.spec_file import Question, asked
from producer import glossary
from producer.abilities import require_abilities
from producer.accounts import audit
from producer.accounts.audit import Actor
from producer.accounts.rights import Right
from producer.accounts.teams import find
from producer.load import LoadArgs, load
from storage.objects import keys

ACTOR = Actor(None, "ann")
CAR = Word("汽车", Kind.NOUN, "automobile")


@pytest.fixture
def door(database_url: str, tmp_path: Path) -> Iterator[Door]:
    with open_door(database_url, tmp_path, source_hosts=("*.example.org",)) as door:
        yield door


def an_upload(door: Door, count: int = 1) -> str:
    with door.pool.database.write() as session:
        maker = door.users["maker"]
        upload = uploads.create(session, user_id=maker, team_id=door.team, name="yard", days=1)
        files = [NewFile(upload, UploadFile(f"{n}.jpg", 1, "0" * 64)) for n in range(count)]
        note(session, files)
    for n in range(min(count, 2)):
        door.pool.store().put(keys.upload_object(upload, f"{n}.jpg"), b"x")
    return str(upload)


def post(door: Door, path: str, body: Any) -> Any:
    headers = door.token("maker", Right.SUBMIT, Right.READ, Right.PREDICT)
    return door.client.post(f"/api/v1/{path}", json=body, headers=headers)


def spec_of(door: Door) -> dict[str, Any]:
    with door.pool.database.read() as session:
        return dict(session.scalars(select(BatchRow.spec)).one())


def test_a_version_grows_with_each_change_and_only_then(door: Door) -> None:
    pool, team = door.pool, find(door.pool, "cats")
    assert glossary.of(pool, door.team).version == "1.0.0"
    assert glossary.put(pool, ACTOR, None, [CAR]).version == 1
    assert glossary.put(pool, ACTOR, None, [CAR]).version == 1, "it is there as it is"
    assert glossary.put(pool, ACTOR, None, [replace(CAR, english="motor car")]).version == 2
    assert glossary.put(pool, ACTOR, team, [CAR, replace(CAR, word="国槐")]).version == 1
    assert glossary.of(pool, None).version == "1.2.0"
    assert glossary.of(pool, door.team).version == "1.2.1"
    assert glossary.remove(pool, ACTOR, None, "汽車", Kind.NOUN).version == 3, "in any writing"
    assert glossary.of(pool, door.team).version == "1.3.1"
    assert glossary.of(pool, door.other_team).version == "1.3.0"


def test_a_team_s_words_lie_over_the_pool_s_and_those_over_the_shipped_ones(door: Door) -> None:
    def sent(team: Any) -> str:
        return glossary.sent(glossary.of(door.pool, team), "红色汽车")

    assert sent(door.team) == "red car"
    glossary.put(door.pool, ACTOR, None, [CAR])
    assert (sent(None), sent(door.team)) == ("red automobile", "red automobile")
    glossary.put(door.pool, ACTOR, find(door.pool, "cats"), [replace(CAR, english="sedan")])
    assert (sent(door.team), sent(door.other_team)) == ("red sedan", "red automobile")
    glossary.remove(door.pool, ACTOR, None, "汽车", Kind.NOUN)
    assert (sent(door.team), sent(door.other_team)) == ("red sedan", "red car")


def test_rows_only_come_and_say_who_and_when(door: Door) -> None:
    glossary.put(door.pool, ACTOR, None, [CAR])
    glossary.remove(door.pool, ACTOR, None, "汽车", Kind.NOUN)
    with door.pool.database.read() as session:
        found = session.execute(
            select(
                *(rows.GlossaryWordRow.version, rows.GlossaryWordRow.english),
                *(rows.GlossaryWordRow.user_name, rows.GlossaryWordRow.at),
            ).order_by(rows.GlossaryWordRow.version)
        ).all()
    assert [(one.version, one.english, one.user_name) for one in found] == [
        (1, "automobile", "ann"),
        (2, None, "ann"),
    ]
    assert all(one.at > 1_700_000_000_000 for one in found)
    assert glossary.listing(door.pool, None) == (2, [])
    assert [one.action for one in audit.page(door.pool)] == ["glossary.remove", "glossary.put"]


def test_a_word_that_is_not_there_cannot_be_taken_out(door: Door) -> None:
    with pytest.raises(NotFound, match="has no noun '汽车'; shipped words stay"):
        glossary.remove(door.pool, ACTOR, None, "汽车", Kind.NOUN)
    assert glossary.of(door.pool, None).version == "1.0.0", "nothing was changed"


def test_a_list_has_an_end(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("producer.glossary.lists.MAX_WORDS", 1)
    glossary.put(door.pool, ACTOR, None, [CAR])
    with pytest.raises(Conflict, match="the list would have 2 words; 1 are allowed"):
        glossary.put(door.pool, ACTOR, None, [replace(CAR, word="国槐")])
    assert glossary.put(door.pool, ACTOR, None, [replace(CAR, english="x")]).version == 2


def test_two_who_change_a_list_at_once_follow_each_other(door: Door) -> None:
    words = [Word(f"{chr(0x4E00 + n)}槐", Kind.NOUN, f"tree {n}") for n in range(8)]
    with ThreadPoolExecutor(4) as threads:
        made = threads.map(lambda one: glossary.put(door.pool, ACTOR, None, [one]).version, words)
        assert sorted(made) == list(range(1, 9))
    assert len(glossary.listing(door.pool, None)[1]) == 8


def test_english_asks_the_database_nothing(door: Door) -> None:
    statements: list[str] = []
    question = asked(None, ["red car, not truck", "Größe"])
    event.listen(
        door.pool.database._engine, "before_cursor_execute", lambda *a: statements.append(a[2])
    )
    assert glossary.composed(door.pool, None, question) is question
    assert statements == []
    glossary.composed(door.pool, None, asked(None, ["汽车"]))
    assert len(statements) in {1, 2}


def test_names_stay_as_typed_and_negatives_are_composed(door: Door) -> None:
    typed = asked(None, ["红色 汽车, not 卡车, not bus", "vehicle=公交车", "bus"])
    sent = glossary.composed(door.pool, None, typed)
    assert sent.glossary == "1.0.0"
    assert [(one.name, one.text, one.negatives) for one in sent.prompts] == [
        ("红色 汽车", "red car", ("truck", "bus")),
        ("vehicle", "bus", ()),
        ("bus", "bus", ()),
    ]
    assert [one.typed for one in sent.prompts] == [("卡车", "bus"), (), ()]
    assert [sent.prompts[0].as_typed(text) for text in ("truck", "bus", "x")] == [
        "卡车",
        "bus",
        "x",
    ]
    assert glossary.sentences(sent) == [
        "红色 汽车 is sent as: red car, not truck, not bus",
        "vehicle is sent as: bus",
    ]


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("汽车, not 小汽车", r"prompts\[0\]: '汽车', as it is sent, asks for 'car' and not for it"),
        ("卡车, not 汽车, not car", "has the negative 'car' twice"),
        ("卡车, not 戴帽子的人", r"prompts\[0\]\.not\[0\]: '戴帽子的人' is not sent"),
    ],
)
def test_what_becomes_a_contradiction_is_refused(door: Door, typed: str, said: str) -> None:
    with pytest.raises(SpecError, match=said):
        glossary.composed(door.pool, None, asked(None, [typed]))


def test_a_batch_keeps_the_name_the_text_and_the_version(door: Door) -> None:
    glossary.put(door.pool, ACTOR, find(door.pool, "cats"), [CAR])
    spec = {"prompts": ["红色汽车, not 卡车", {"text": "金鱼", "threshold": 0.7}]}
    body = {"spec": spec, "source": {"uploads": [an_upload(door)]}}
    answer = post(door, "batches", body)
    assert answer.status_code == 201, answer.text
    stored = spec_of(door)
    shown = door.client.get(
        f"/api/v1/batches/{answer.json()['id']}", headers=door.token("maker", Right.READ)
    ).json()
    assert stored == shown["spec"]
    assert stored["glossary"] == "1.0.1"
    assert stored["prompts"] == [
        {"text": "red automobile", "name": "红色汽车", "not": ["truck"], "typed": ["卡车"]},
        {"text": "goldfish", "name": "金鱼", "not": []},
    ]
    assert shown["reading"]["prompts"] == {"金鱼": {"threshold": 0.7}}


def test_an_english_batch_is_stored_as_ever(door: Door) -> None:
    spec = {"prompts": ["car", {"text": "red car", "name": "红车"}]}
    body = {"spec": spec, "source": {"uploads": [an_upload(door)]}}
    assert post(door, "batches", body).status_code == 201
    assert list(spec_of(door)) == ["version", "model", "prompts", "settings"]


def test_the_clerk_loads_what_was_composed_when_it_was_asked(door: Door) -> None:
    body = {"spec": {"prompts": ["红色汽车"]}, "source": {"uploads": [an_upload(door, 1_001)]}}
    assert post(door, "batches", body).status_code == 202
    glossary.put(door.pool, ACTOR, None, [CAR])
    with door.pool.database.read() as session:
        args = session.scalars(select(TaskRow.args)).one()
    assert args["glossary"] == "1.0.0"
    load(door.pool, LoadArgs.read(args), key="task")
    assert spec_of(door)["prompts"] == [{"text": "red car", "name": "红色汽车", "not": []}]
    assert spec_of(door)["glossary"] == "1.0.0"


@pytest.mark.parametrize("count", [1, 1_001])
def test_english_that_was_composed_before_keeps_its_version(door: Door, count: int) -> None:
    spec = {"prompts": [{"text": "red car", "name": "红色汽车"}]}
    body = {"spec": spec, "source": {"uploads": [an_upload(door, count)]}, "glossary": "1.2.3"}
    assert post(door, "batches", body).is_success
    with door.pool.database.read() as session:
        tasks = list(session.scalars(select(TaskRow.args)))
    for args in tasks:
        load(door.pool, LoadArgs.read(args), key="task")
    assert spec_of(door)["glossary"] == "1.2.3"
    refused = post(door, "batches", {**body, "glossary": "new"})
    assert (refused.status_code, refused.json()["params"]["field"]) == (422, "glossary")


def test_what_is_composed_now_names_the_words_of_now(door: Door) -> None:
    spec = {"prompts": ["汽车", {"text": "red car", "name": "红色汽车"}]}
    body = {"spec": spec, "source": {"uploads": [an_upload(door)]}, "glossary": "1.2.3"}
    assert post(door, "batches", body).status_code == 201
    assert spec_of(door)["glossary"] == "1.0.0"


def test_an_english_task_says_nothing_of_a_glossary(door: Door) -> None:
    body = {"spec": {"prompts": ["car"]}, "source": {"uploads": [an_upload(door, 1_001)]}}
    assert post(door, "batches", body).status_code == 202
    with door.pool.database.read() as session:
        assert "glossary" not in session.scalars(select(TaskRow.args)).one()


def test_a_prediction_is_asked_in_english(door: Door) -> None:
    glossary.put(door.pool, ACTOR, find(door.pool, "cats"), [CAR])
    image = {"upload": an_upload(door), "file": "0.jpg"}
    answer = post(door, "predict?wait=0", {**image, "prompts": [{"text": "红色汽车"}]})
    assert answer.status_code == 202, answer.text
    stored = spec_of(door)
    assert (stored["prompts"][0]["text"], stored["glossary"]) == ("red automobile", "1.0.1")
    refused = post(door, "predict?wait=0", {**image, "prompts": [{"text": "戴帽子的人"}]})
    assert (refused.status_code, refused.json()["code"]) == (422, "glossary.action")
    assert refused.json()["params"] == {
        "field": "prompts[0].text",
        "text": "戴帽子的人",
        "rest": "戴帽子",
        "other": "",
    }


def test_a_team_s_words_are_tried_by_its_members_alone(door: Door) -> None:
    glossary.put(door.pool, ACTOR, find(door.pool, "cats"), [CAR])
    body = {"texts": ["汽车", "没有轮子的车", "car"], "team": str(door.team)}
    shown = post(door, "glossary/compose", body).json()
    assert shown["glossary"] == "1.0.1"
    assert [one["sent"] for one in shown["texts"]] == ["automobile", None, "car"]
    assert shown["texts"][1]["refused"]["code"] == "glossary.negation"
    other = {**body, "team": str(door.other_team)}
    assert post(door, "glossary/compose", other).status_code == 404
    assert post(door, "glossary/compose", {"texts": ["汽车"]}).json()["texts"][0]["sent"] == "car"


def test_words_come_in_pages_and_go_by_the_api(door: Door) -> None:
    admin, maker = door.cookie("admin"), door.cookie("maker")
    url = "/api/v1/glossary"
    for word in ("甲虫", "乙醚瓶", "国槐"):
        made = door.client.put(f"{url}/{word}", json={"english": "thing"}, headers=admin)
        assert made.status_code == 200, made.text
    found, after = [], ""
    while after is not None:
        page = door.client.get(url, params={"limit": 2, "after": after}, headers=maker).json()
        found += [(one["word"], one["by"]) for one in page["words"]]
        after = page["next"]
    assert sorted(found) == sorted((one, "admin") for one in ("甲虫", "乙醚瓶", "国槐"))
    bad = door.client.put(f"{url}/abc", json={"english": "x"}, headers=admin)
    assert (bad.status_code, bad.json()["params"]["field"]) == (422, "word")
    gone = door.client.delete(f"{url}/国槐", headers=admin)
    assert gone.json() == {"version": 4, "before": "thing"}
    assert door.client.delete(f"{url}/国槐", headers=admin).status_code == 404
    shipped = door.client.get(url, params={"source": "shipped", "limit": 1}, headers=maker).json()
    assert (shipped["version"], shipped["words"][0]["at"]) == (1, None)


def test_a_worker_of_the_version_before_is_named(door: Door) -> None:
    sent = glossary.composed(door.pool, None, asked(None, ["汽车"]))
    spec = BatchSpec.of("demo", sent.prompts, glossary=sent.glossary)
    pool = PlainPool(door.pool.database, door.pool.store())
    with door.pool.database.write() as session:
        info = WorkerInfo(
            pool.worker_id, "old:1", "cpu", "demo", threads=1, abilities=frozenset(Ability)
        )
        workers.announce(session, info)
        require_abilities(session, spec)
        session.execute(update(WorkerRow).values(abilities="objects spec2 stuff"))
        with pytest.raises(ConfigError, match=r"\(prompts in Chinese\), and old:1 is none"):
            require_abilities(session, spec)
        require_abilities(session, BatchSpec.of("demo", asked(None, ["car"]).prompts))


def test_a_glossary_s_version_alone_is_no_other_question(door: Door) -> None:
    prompts = glossary.composed(door.pool, None, asked(None, ["汽车"])).prompts
    one, other = (BatchSpec.of("demo", prompts, glossary=f"1.0.{n}").dump() for n in (1, 2))
    assert same_question(one, other)
    assert BatchSpec.read(json.loads(json.dumps(one))).glossary == "1.0.1"


def test_how_a_negative_was_typed_is_no_other_question_and_is_read_again(door: Door) -> None:
    chinese = glossary.composed(door.pool, None, asked(None, ["汽车, not 卡车"])).prompts
    english = asked(None, ["汽车=car, not truck"]).prompts
    one, other = (BatchSpec.of("demo", prompts) for prompts in (chinese, english))
    assert one.dump() != other.dump()
    assert same_question(one.dump(), other.dump())
    assert BatchSpec.read(json.loads(json.dumps(one.dump()))) == one
    assert Ability.GLOSSARY in needed(one, objects=False)
    assert Ability.GLOSSARY not in needed(other, objects=False)
    with pytest.raises(SpecError, match="typed has 1 texts, and not has 0"):
        BatchSpec.read({**other.dump(), "prompts": [{"text": "car", "typed": ["卡车"]}]})


def test_what_was_typed_before_stays_where_another_negative_is_composed(door: Door) -> None:
    said = {"text": "car", "name": "汽车", "not": ["truck", "公交车"], "typed": ["卡车", "公交车"]}
    question = asked(Question.read({"prompts": [said]}), [])
    [prompt] = glossary.composed(door.pool, None, question).prompts
    assert (prompt.negatives, prompt.typed) == (("truck", "bus"), ("卡车", "公交车"))


def test_a_refusal_names_the_prompt(door: Door) -> None:
    with pytest.raises(GlossaryError) as refused:
        glossary.composed(door.pool, None, asked(None, ["car", "漂亮的汽车"]))
    assert (refused.value.field, refused.value.why) == ("prompts[1].text", Why.UNKNOWN)
