// @ts-check
/**
 * Files that somebody drops or picks, folders and all: which are pictures, and what is passed over.
 */

/**
 * @typedef {{name: string, file: File | null}} Named A file and its path below what was dropped; null: it
 *   cannot be read, or is a folder, named with a slash at its end, of which some cannot be listed.
 * @typedef {"hidden" | "empty" | "kind" | "twice" | "name" | "unread"} Reason
 */

/** What the server takes, in lower case; `producer/sources/names.py` has the same. */
const ENDINGS = new Set(
  ("avif bmp gif heic heif hif jfif jp2 jpe jpeg jpg mpo pbm pgm png pnm ppm tif tiff webp zip")
    .split(" "),
);

/** Manifests, as the server takes them. */
const LISTS = ["csv", "tsv", "jsonl", "ndjson", "manifest", "txt"];

/** For the dialog in which files are picked. */
export const ACCEPT = [...ENDINGS, ...LISTS].map((ending) => `.${ending}`).join(",");

const BYTES = new TextEncoder();

/**
 * The files of a drop or a paste, whole folders included.
 *
 * @param {DataTransfer} transfer
 * @returns {Promise<Named[]>}
 */
export async function filesOf(transfer) {
  // Entries must be taken before anything is waited for: the list is empty afterwards.
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.() ?? null);
  const plain = [...transfer.files];
  if (!entries.some((entry) => entry?.isDirectory)) return plain.map((file) => ({ name: file.name, file }));
  /** @type {Named[]} */
  const found = [];
  for (const entry of entries) if (entry) await walk(entry, found);
  return found;
}

/**
 * The files of a field in which files or a folder were picked.
 *
 * @param {HTMLInputElement} field
 * @returns {Named[]}
 */
export function filesOfField(field) {
  return [...(field.files ?? [])].map((file) => ({ name: file.webkitRelativePath || file.name, file }));
}

/**
 * @param {FileSystemEntry} entry
 * @param {Named[]} found
 */
async function walk(entry, found) {
  const name = entry.fullPath.replace(/^\//, "");
  if (entry.isFile) {
    const one = /** @type {FileSystemFileEntry} */ (entry);
    found.push({ name, file: await new Promise((resolve) => one.file(resolve, () => resolve(null))) });
    return;
  }
  const reader = /** @type {FileSystemDirectoryEntry} */ (entry).createReader();
  for (;;) {
    /** @type {FileSystemEntry[] | null} */
    const some = await new Promise((resolve) => reader.readEntries(resolve, () => resolve(null)));
    if (!some) found.push({ name: `${name}/`, file: null });
    if (!some?.length) return;
    for (const one of some) await walk(one, found);
  }
}

/**
 * Whether a file's name says that it is a list of pictures.
 *
 * @param {string} name
 */
export function isManifest(name) {
  return LISTS.includes(name.slice(name.lastIndexOf(".") + 1).toLowerCase());
}

/**
 * Sort out what is no picture. A manifest counts where it comes alone: beside pictures it is a note.
 *
 * @param {Named[]} files
 * @param {(name: string, size: number) => boolean} isThere Whether such a file was taken before.
 * @returns {{taken: {name: string, file: File}[], passed: {name: string, reason: Reason}[]}}
 */
export function sort(files, isThere) {
  /** @type {{name: string, file: File}[]} */
  const taken = [];
  /** @type {{name: string, reason: Reason}[]} */
  const passed = [];
  const names = new Set();
  for (const { name: given, file } of files) {
    const name = given.normalize("NFC");
    const reason = whyNot(name, file, files.length === 1 && !name.includes("/")) ??
      (names.has(name) || isThere(name, file?.size ?? 0) ? "twice" : null);
    if (reason || !file) {
      passed.push({ name, reason: reason ?? "unread" });
    } else {
      names.add(name);
      taken.push({ name, file });
    }
  }
  return { taken, passed };
}

/**
 * @param {string} name
 * @param {File | null} file
 * @param {boolean} alone
 * @returns {Reason | null}
 */
function whyNot(name, file, alone) {
  const parts = name.split("/");
  const last = parts[parts.length - 1] ?? "";
  const hidden = (/** @type {string} */ part) => part.startsWith(".") || part === "__MACOSX";
  if (parts.some(hidden) || ["Thumbs.db", "desktop.ini"].includes(last)) return "hidden";
  if (!file) return "unread";
  const isTaken = ENDINGS.has(last.slice(last.lastIndexOf(".") + 1).toLowerCase()) || (alone && isManifest(last));
  if (!isTaken) return "kind";
  if (!file.size) return "empty";
  // deno-lint-ignore no-control-regex
  const odd = /[\\\u0000-\u001f\u007f]/.test(name);
  return odd || BYTES.encode(name).length > 800 || parts.some((part) => BYTES.encode(part).length > 255)
    ? "name"
    : null;
}
