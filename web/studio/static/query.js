// @ts-check
/** What somebody chose of a list stands in the page's address: a reload, and who gets the link, see the same. */

/** @param {Record<string, string>} some An empty value takes its name out. */
export function setQuery(some) {
  const query = new URLSearchParams(location.search);
  for (const [name, value] of Object.entries(some)) {
    if (value) query.set(name, value);
    else query.delete(name);
  }
  const text = query.toString();
  history.replaceState(history.state, "", `${location.pathname}${text ? `?${text}` : ""}${location.hash}`);
}
