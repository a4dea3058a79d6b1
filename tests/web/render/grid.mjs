// Where Grafana puts panels: 24 columns, lines of 30 pixels, 8 pixels between them, and as far up as there is room.
const GAP = 8;
const LINE = 30;
export const EDGE = 16;

/**
 * The panels to be drawn, with their boxes in pixels.
 * @param {any} dashboard @param {number} width of the page @param {{row?: string, open: boolean}} options
 */
export function placed(dashboard, width, { row, open }) {
  const column = (width - 2 * EDGE - 23 * GAP) / 24;
  const filled = Array(24).fill(0);  // how far down each column is taken, in lines
  /** @type {{panel: any, box: {x: number, y: number, width: number, height: number}}[]} */
  const all = [];
  let inside = row === undefined;
  for (const one of dashboard.panels) {
    if (one.type === 'row') inside = row === undefined || one.title === row;
    if (!inside) continue;
    const opened = one.type === 'row' && one.collapsed && (open || row !== undefined);
    for (const panel of opened ? [one, ...one.panels] : [one]) {
      const { x, w, h } = panel.gridPos;
      const y = Math.max(...filled.slice(x, x + w));
      filled.fill(y + h, x, x + w);
      all.push({
        panel: { ...panel, panels: undefined, hidden: one.collapsed && !opened ? one.panels.length : 0 },
        box: {
          x: x * (column + GAP), y: y * (LINE + GAP), width: w * (column + GAP) - GAP, height: h * (LINE + GAP) - GAP,
        },
      });
    }
  }
  return all;
}
