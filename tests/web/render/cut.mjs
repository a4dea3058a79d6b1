// In the page, and so by itself: what does not fit.

/** Titles, heads and cells that do not fit, and tables that do not. */
export function cut() {
  /** @type {string[]} */
  const found = [];
  const tooWide = (/** @type {Element} */ one) => one.scrollWidth > one.clientWidth;
  // Text that is aligned to the right leaves its cell on the left.
  const leaves = (/** @type {Element} */ cell) => {
    const { left, right } = cell.getBoundingClientRect();
    const texts = [cell, ...cell.querySelectorAll('*')]
      .filter((one) => [...one.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.nodeValue?.trim()));
    return texts.some((one) => {
      const box = one.getBoundingClientRect();
      return tooWide(one) || (box.width > 0 && (box.left < left - 1 || box.right > right + 1));
    });
  };
  for (const panel of document.querySelectorAll('section')) {
    const title = panel.querySelector('h2');
    const name = title?.textContent;
    if (title && tooWide(title)) found.push(`title "${name}" is cut`);
    const table = panel.querySelector('[role=grid], [role=table]');
    if (table && tooWide(table)) found.push(`"${name}" is ${table.scrollWidth - table.clientWidth} px too wide`);
    const heads = [...panel.querySelectorAll('[role=columnheader]')].filter(leaves).map((head) => head.textContent);
    if (heads.length > 0) found.push(`"${name}": heads are cut: ${heads.join(' | ')}`);
    const cells = new Set([...panel.querySelectorAll('[role=gridcell], [role=cell]')].filter(leaves)
      .map((cell) => cell.textContent));
    if (cells.size > 0) found.push(`"${name}": cells are cut: ${[...cells].join(' | ')}`);
  }
  return found;
}
