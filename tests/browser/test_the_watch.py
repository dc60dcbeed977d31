"""The fixtures of these tests notice what a page must never do."""

from __future__ import annotations

import pytest
from services.studio import Desk


@pytest.mark.parametrize(
    ("script", "fault"),
    [
        ("() => { console.error('broken'); }", "console error: broken"),
        ("() => { setTimeout(() => { throw new Error('thrown'); }); }", "page error: "),
        ("() => { Promise.reject(new Error('left')); }", "page error: "),
        ("() => { fetch('http://elsewhere.test/').catch(() => {}); }", "policy: connect-src"),
        ("() => { document.body.setAttribute('style', 'color: red'); }", "policy: style-src"),
        ("() => { try { document.body.innerHTML = '<b>'; } catch {} }", "policy: require-trusted"),
        ("() => { fetch('/static/x/none.js'); }", "404 of "),
        ("() => { location = 'http://127.0.0.1:1/'; }", "request to http://127.0.0.1:1/"),
    ],
)
def test_a_fault_is_noticed(desk: Desk, script: str, fault: str) -> None:
    page = desk.open("/login", None)
    page.evaluate(f"({script})()")
    # A busy machine tells late; a sleep long enough for it would be one for every machine.
    for _ in range(500):
        if any(fault in one for one in desk.faults):
            break
        page.wait_for_timeout(20)
    faults, desk.faults = desk.faults, []
    assert any(fault in one for one in faults), faults
    # Some are told twice, by the page and by its console, and the second one may still come.
    desk.expected.append("")
