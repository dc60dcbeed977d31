// @ts-check
/** Work that may come after the picture: once, when the next frame was painted. */

/**
 * @param {() => void} run
 * @returns {() => void} Asks for it; again before it ran is once.
 */
export function later(run) {
  let asked = false;
  return () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() =>
      setTimeout(() => {
        asked = false;
        run();
      })
    );
  };
}
