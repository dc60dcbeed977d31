// @ts-check
/** A name for a batch whose owner gave none: its folder's, or that of its first file and how many more. */

/** Characters of a file's name that are taken. */
const MOST = 200;

/** @param {string[]} files Their names in the upload, with folders. */
export function proposedName(files) {
  const tops = [...new Set(files.map((name) => name.split("/", 1)[0] ?? ""))];
  const first = (tops[0] ?? "").replace(/\.zip$/i, "").slice(0, MOST);
  return tops.length > 1 ? `${first} +${tops.length - 1}` : first;
}
