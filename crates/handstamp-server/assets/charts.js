// Draws the tables that are marked as charts. The table stays, folded away, for whoever prefers it.
"use strict";

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const drawn = new Map();
// Steps between the lines: whole figures, from one to ten million.
const STEPS = [0, 1, 2, 3, 4, 5, 6].flatMap((power) => [1, 2, 5].map((step) => step * 10 ** power));

/** The columns of a table: times in seconds, then one list of figures for each further column. */
function columns(table) {
  const rows = [...table.tBodies[0].rows];
  const times = rows.map((row) => Date.parse(row.querySelector("time").dateTime) / 1000);
  const names = [...table.tHead.rows[0].cells].slice(1).map((cell) => cell.textContent.trim());
  const figures = names.map((_, column) => rows.map((row) => Number(row.cells[column + 1].dataset.value)));
  return { names, data: [times, ...figures] };
}

function draw(table) {
  const place = document.getElementById(table.dataset.chart);
  if (!place || !table.tBodies[0].rows.length) return;
  const { names, data } = columns(table);
  const inks = table.dataset.inks.split(" ");
  const axis = { stroke: colour("--soft"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false }, font: "12px system-ui, sans-serif" };
  const series = names.map((label, index) => ({
    label,
    stroke: colour(inks[index]),
    fill: `color-mix(in srgb, ${colour(inks[index])} ${index ? 0 : 12}%, transparent)`,
    width: 2,
    points: { show: data[0].length < 40, size: 5 },
  }));
  drawn.get(place.id)?.destroy();
  place.replaceChildren();
  drawn.set(place.id, new uPlot({
    width: place.clientWidth,
    height: 220,
    cursor: { y: false },
    scales: { y: { range: (_, least, most) => [0, Math.max(4, most * 1.15)] } },
    axes: [axis, { ...axis, size: (_, labels) => widthOf(labels), incrs: STEPS }],
    series: [{}, ...series],
  }, data, place));
}

// As wide as the longest figure beside it: 10,000 takes more than 5.
function widthOf(labels) {
  return 20 + 7 * Math.max(3, ...(labels ?? []).map((label) => String(label ?? "").length));
}

function drawAll() {
  for (const table of document.querySelectorAll("table[data-chart]")) draw(table);
}

drawAll();
// One frame later the new width is known.
window.addEventListener("resize", () => requestAnimationFrame(drawAll));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
document.addEventListener("renewed", drawAll);
