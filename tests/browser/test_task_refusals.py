"""What a clerk could not do is said in the page's language, with figures and names of its own."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

import pytest
from playwright.sync_api import Page, expect
from pydantic import SecretStr
from services.plain_pool import PlainPool
from services.studio import Desk, Site
from sqlalchemy import select

from clerk.leases import TaskKeeper
from clerk.run_task import TaskRunner
from db import batches
from db.models import TaskRow
from maskpool.domain import new_id
from maskpool.errors import Unreachable
from maskpool.settings import Settings
from maskpool.tasks import TaskState
from producer.pool import Pool
from storage.objects import open_store


@pytest.fixture
def cancelled(site: Site) -> UUID:
    pool = PlainPool(site.database, open_store((site.home / "store").as_uri()))
    batch = pool.submit(7)
    with site.database.write() as session:
        batches.cancel(session, batch)
    return batch


def work(site: Site) -> None:
    """A clerk does what is asked for, once."""
    settings = Settings(
        store_url=(site.home / "store").as_uri(), redis_url=SecretStr("redis://127.0.0.1:1/0")
    )
    keeper = TaskKeeper(site.database, new_id(), "here:1", lease_seconds=30, heartbeat_seconds=1)
    with site.database.read() as session:
        waiting = select(TaskRow.id).where(TaskRow.state == TaskState.WAITING)
        found = session.scalars(waiting).all()
    for one in found:
        TaskRunner(Pool(settings, site.database), keeper).run(one)


def ask_for_a_file(page: Page, export: str, go: str) -> None:
    page.get_by_role("button", name=export, exact=True).click()
    page.get_by_role("checkbox").last.uncheck()
    with page.expect_response("**/api/v1/tasks/*"):
        page.get_by_role("button", name=go).click()


def test_an_export_says_why_there_is_no_file(desk: Desk, site: Site, cancelled: UUID) -> None:
    page = desk.open(f"/batches/{cancelled}")
    ask_for_a_file(page, "Export", "Make the file")
    work(site)
    said = page.get_by_role("dialog").get_by_role("status")
    expect(said).to_contain_text("was cancelled: 7 of its 7 pictures have no result")
    page.reload()
    page.get_by_role("button", name="Export", exact=True).click()
    expect(page.locator(".files .is-bad")).to_contain_text("7 of its 7 pictures")


def test_an_export_says_it_in_chinese(desk: Desk, site: Site, cancelled: UUID) -> None:
    page = desk.open(f"/batches/{cancelled}", language="zh")
    ask_for_a_file(page, "导出", "生成文件")
    work(site)
    expect(page.get_by_role("dialog").get_by_role("status")).to_contain_text(
        "此批次已取消：7 张图片中有 7 张没有结果"
    )


def test_what_is_put_off_says_that_it_goes_on(
    desk: Desk, site: Site, cancelled: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object, **__: object) -> None:
        raise Unreachable("the object store", "refused")

    monkeypatch.setattr("clerk.work.export.export", away)
    page = desk.open(f"/batches/{cancelled}")
    ask_for_a_file(page, "Export", "Make the file")
    work(site)
    expect(page.get_by_role("dialog").get_by_role("status")).to_contain_text("goes on by itself")


@pytest.mark.parametrize(
    ("language", "add", "said"),
    [
        ("en", "Add a prompt", "The clerk was lost each of the 5 times that it worked on this."),
        ("zh", "添加提示词", "后台处理的 5 次尝试均已中断。"),
    ],
)
def test_a_batch_that_could_not_be_made_says_why(
    desk: Desk, tmp_path: Path, language: str, add: str, said: str
) -> None:
    problem = {"code": "task.lost", "detail": "in English", "params": {"times": 5}}
    failed = {"state": "failed", "error": "in English", "problem": problem}
    page = desk.open("/batches/new", language=language)
    page.route("**/api/v1/tasks/*", lambda route: route.fulfill(json=failed))
    page.route("**/api/v1/batches", lambda route: route.fulfill(json={"task": "t"}, status=202))
    (tmp_path / "a.png").write_bytes(b"no picture, but named as one")
    page.locator("#folder").set_input_files(tmp_path)
    expect(page.locator("#file-groups .is-bad")).to_have_count(0)
    page.get_by_label(add).fill("apple")
    page.get_by_label(add).press("Enter")
    page.locator("#start").click()
    expect(page.locator("#start-note")).to_contain_text(said)
