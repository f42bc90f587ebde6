// Stacked bars as SVG, to be read on a light and on a dark page.

/** @typedef {{title: string, parts: {name: string, ms: number}[]}} Bar  a part without a name of the legend is grey */

const [WIDTH, LEFT, RIGHT, TOP] = [860, 130, 70, 64];
const [BAR, STEP] = [22, 34];

/** Of the legend's names in turn: Paul Tol's "bright" and "muted", which the colour-blind can tell apart too. */
const COLOURS = ["#999933", "#66ccee", "#4477aa", "#aa3377", "#ee6677", "#ccbb44", "#228833", "#882255"];
const GREY = "#888888";

const STYLE = `
  text { font: 13px system-ui, sans-serif; fill: #222; }
  .small { font-size: 11px; }
  .grid { stroke: #8885; }
  @media (prefers-color-scheme: dark) { text { fill: #ddd; } }
`;

/**
 * @param {string} title @param {readonly string[]} legend names of parts
 * @param {Bar[]} bars @returns {string}
 */
export function drawBars(title, legend, bars) {
  const most = Math.max(...bars.map(total));
  const scale = (WIDTH - LEFT - RIGHT) / most;
  const height = TOP + bars.length * STEP + 24;
  const lines = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img">`,
    `<title>${escapeXml(title)}</title>`,
    `<style>${STYLE}</style>`,
    ...drawLegend(legend),
    ...drawAxis(most, scale, height),
    ...bars.flatMap((bar, index) => drawBar(bar, legend, scale, TOP + index * STEP)),
    "</svg>",
  ];
  return `${lines.join("\n")}\n`;
}

/** @param {Bar} bar */
const total = ({ parts }) => parts.reduce((sum, { ms }) => sum + ms, 0);

/** @param {readonly string[]} legend */
function drawLegend(legend) {
  const each = (WIDTH - 20) / legend.length;
  return legend.map((name, index) => {
    const x = (10 + index * each).toFixed(0);
    const box = `<rect x="${x}" y="10" width="12" height="12" fill="${colourOf(name, legend)}"/>`;
    return `${box}<text class="small" x="${Number(x) + 17}" y="20">${escapeXml(name)}</text>`;
  });
}

/** @param {number} most ms @param {number} scale @param {number} height */
function drawAxis(most, scale, height) {
  const unit = [50, 100, 200, 500, 1000, 2000, 5000].find((ms) => most / ms <= 8) ?? 10_000;
  const marks = Array.from({ length: Math.floor(most / unit) + 1 }, (_, index) => index * unit);
  return marks.map((ms) => {
    const x = (LEFT + ms * scale).toFixed(1);
    const line = `<line class="grid" x1="${x}" y1="${TOP - 12}" x2="${x}" y2="${height - 22}"/>`;
    return `${line}<text class="small" x="${x}" y="${height - 6}" text-anchor="middle">${ms} ms</text>`;
  });
}

/** @param {Bar} bar @param {readonly string[]} legend @param {number} scale @param {number} y */
function drawBar(bar, legend, scale, y) {
  const middle = y + BAR / 2 + 5;
  let x = LEFT;
  const parts = bar.parts.map(({ name, ms }) => {
    const [left, width] = [x, ms * scale];
    x += width;
    const box = `x="${left.toFixed(1)}" y="${y}" width="${width.toFixed(1)}" height="${BAR}"`;
    const label = `<title>${escapeXml(name)}: ${ms.toFixed(0)} ms</title>`;
    return `<rect ${box} fill="${colourOf(name, legend)}">${label}</rect>`;
  });
  return [
    `<text x="${LEFT - 8}" y="${middle}" text-anchor="end">${escapeXml(bar.title)}</text>`,
    ...parts,
    `<text x="${(x + 6).toFixed(1)}" y="${middle}">${total(bar).toFixed(0)} ms</text>`,
  ];
}

/** @param {string} name @param {readonly string[]} legend */
const colourOf = (name, legend) => COLOURS[legend.indexOf(name)] ?? GREY;

/** @param {string} text */
const escapeXml = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
