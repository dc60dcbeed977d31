"""Files dropped onto a page, as from a folder of the desktop."""

from __future__ import annotations

import base64

from playwright.sync_api import Page

#: Drop files where a person would.
_DROP = """
(files) => {
  const transfer = new DataTransfer();
  for (const [name, text] of files) {
    const bytes = Uint8Array.from(atob(text), (one) => one.charCodeAt(0));
    transfer.items.add(new File([bytes], name));
  }
  const about = { dataTransfer: transfer, bubbles: true, cancelable: true };
  document.getElementById("drop").dispatchEvent(new DragEvent("drop", about));
}
"""


def drop(page: Page, files: dict[str, bytes]) -> None:
    """Drop files, by name, onto the place for them."""
    page.evaluate(_DROP, [[name, base64.b64encode(data).decode()] for name, data in files.items()])
