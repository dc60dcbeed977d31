// @ts-check
/**
 * Elements, made and found. Text is set as text: nothing that a person wrote becomes markup.
 */

/** @typedef {Node | string | number | null | undefined | false} Child */

const SVG = "http://www.w3.org/2000/svg";

/**
 * Make an element.
 *
 * A property whose name begins with "on" is a listener; `value`, `checked`, `disabled` and the like
 * are properties; true is an attribute without a value; false, null and undefined are left out.
 *
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Record<string, unknown>} [properties]
 * @param {...(Child | Child[])} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function el(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) set(made, name, value);
  append(made, ...children);
  return made;
}

/**
 * Make an element of a drawing; its properties are attributes.
 *
 * @param {string} tag
 * @param {Record<string, string | number>} [attributes]
 * @param {...Node} children
 * @returns {SVGElement}
 */
export function svg(tag, attributes = {}, ...children) {
  const made = /** @type {SVGElement} */ (document.createElementNS(SVG, tag));
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, String(value));
  made.append(...children);
  return made;
}

/**
 * One of the icons that every page holds.
 *
 * @param {string} name As in `templates/icons.svg`.
 */
export function icon(name) {
  return svg("svg", { class: "i", "aria-hidden": "true" }, svg("use", { href: `#i-${name}` }));
}

/**
 * A button with an icon alone; its words are its name and its tip.
 *
 * @param {string} name Of the icon.
 * @param {string} words
 * @param {(event: Event) => void} onclick
 * @param {Record<string, unknown>} [properties]
 */
export function iconButton(name, words, onclick, properties = {}) {
  const about = { type: "button", "aria-label": words, title: words, onclick };
  return el("button", { class: "btn btn--icon btn--ghost", ...about, ...properties }, icon(name));
}

/**
 * Put children at the end of an element.
 *
 * @param {Element} parent
 * @param {...(Child | Child[])} children
 */
export function append(parent, ...children) {
  for (const child of children.flat()) {
    if (child instanceof Node) parent.append(child);
    else if (child !== null && child !== undefined && child !== false) parent.append(String(child));
  }
}

/**
 * Put children in place of those that are there.
 *
 * @param {Element} parent
 * @param {...(Child | Child[])} children
 */
export function swap(parent, ...children) {
  parent.replaceChildren();
  append(parent, ...children);
}

/**
 * Put children in place of those that are there; whoever stays is not touched, and keeps the focus.
 *
 * @param {Element} parent
 * @param {Element[]} children
 */
export function arrange(parent, children) {
  const wanted = new Set(children);
  for (const old of [...parent.children]) if (!wanted.has(old)) old.remove();
  children.forEach((child, at) => {
    const there = parent.children[at] ?? null;
    if (there !== child) parent.insertBefore(child, there);
  });
}

/**
 * The element with an id.
 *
 * @template {Element} T
 * @param {string} id
 * @param {{new (): T}} kind What it must be.
 * @returns {T}
 */
export function byId(id, kind) {
  const found = document.getElementById(id);
  if (!(found instanceof kind)) throw new Error(`the page has no ${kind.name} #${id}`);
  return found;
}

/**
 * Listen; the answer stops it.
 *
 * @param {EventTarget} target
 * @param {string} type
 * @param {(event: any) => void} listener
 * @param {AddEventListenerOptions} [options]
 * @returns {() => void}
 */
export function on(target, type, listener, options) {
  target.addEventListener(type, listener, options);
  return () => target.removeEventListener(type, listener, options);
}

/**
 * Take what was typed at Enter. The Enter that chooses a word of an input method is none.
 *
 * @param {HTMLInputElement} field
 * @param {() => void} take
 */
export function onEnter(field, take) {
  field.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.isComposing) return;
    event.preventDefault();
    take();
  });
}

/**
 * Show or hide an element.
 *
 * @param {Element | null} element
 * @param {boolean} yes
 */
export function show(element, yes) {
  if (element instanceof HTMLElement) element.hidden = !yes;
}

/**
 * @param {HTMLElement} element
 * @param {string} name
 * @param {unknown} value
 */
function set(element, name, value) {
  if (value === undefined || value === null || value === false) return;
  if (name.startsWith("on") && typeof value === "function") {
    element.addEventListener(name.slice(2), /** @type {EventListener} */ (value));
  } else if (name in element && ["value", "checked", "disabled", "hidden"].includes(name)) {
    /** @type {any} */ (element)[name] = value;
  } else {
    element.setAttribute(name, value === true ? "" : String(value));
  }
}
