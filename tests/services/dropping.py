"""Files dropped onto a page, as from a folder of the desktop."""

from __future__ import annotations

import base64
from typing import Any

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

#: Drop a folder, whose files and folders are as a browser tells them; what is null cannot be read.
_DROP_FOLDER = """
([folder, tree]) => {
  const told = (what) => (good, bad) => what ? good(what()) : bad(new Error());
  const file = (name, text) => ({
    fullPath: `/${name}`,
    isFile: true,
    file: told(text === null ? null : () => new File([text], name.split("/").pop())),
  });
  const listing = (name, inside) => {
    const all = Object.entries(inside ?? {}).map(([one, what]) => entry(`${name}/${one}`, what));
    const batches = [all, []];
    const reader = { readEntries: told(inside && (() => batches.shift())) };
    return { fullPath: `/${name}`, isDirectory: true, createReader: () => reader };
  };
  const entry = (name, what) =>
    name.endsWith("/") ? listing(name.slice(0, -1), what) : file(name, what);
  const items = [{ webkitGetAsEntry: () => listing(folder, tree) }];
  const dropped = new Event("drop", { bubbles: true, cancelable: true });
  dropped.dataTransfer = { types: ["Files"], files: [], items };
  document.getElementById("drop").dispatchEvent(dropped);
}
"""


def drop(page: Page, files: dict[str, bytes]) -> None:
    """Drop files, by name, onto the place for them."""
    page.evaluate(_DROP, [[name, base64.b64encode(data).decode()] for name, data in files.items()])


def drop_folder(page: Page, folder: str, tree: dict[str, Any]) -> None:
    """Drop a folder; in its tree, a name with a slash at its end is a folder.

    Args:
        page: Of a new batch.
        folder: Its name.
        tree: What is in it: texts of files, trees of folders; None: it cannot be read.
    """
    page.evaluate(_DROP_FOLDER, [folder, tree])
