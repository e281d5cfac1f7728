// How values are written, and how elements are made: text always goes in as text.
const number = new Intl.NumberFormat("en");
const short = new Intl.NumberFormat("en", {notation: "compact", maximumSignificantDigits: 3});
const percent = share => share === null ? "–" : `${(share * 100).toFixed(share > 0.999 && share < 1 ? 2 : 1)}%`;
const jobsIn = count => `${number.format(count)} ${count === 1 ? "job" : "jobs"}`;
function span(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  if (seconds < 1) return "under 1 s";
  for (const [size, unit] of [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]]) {
    if (seconds >= size) {
      const count = seconds / size;
      return `${count < 10 ? count.toFixed(1) : Math.round(count)} ${unit}`;
    }
  }
}
function mebibytes(amount) {
  let value = amount, unit = "MiB";
  for (const next of ["GiB", "TiB", "PiB"]) if (value >= 1024) { value /= 1024; unit = next; }
  return `${value < 100 && unit !== "MiB" ? value.toFixed(1) : number.format(Math.round(value))} ${unit}`;
}

// Plotly reads a little HTML in its texts; what comes from the cluster must stay what it is.
const plain = text => String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
const shortened = (text, most) => text.length > most ? text.slice(0, most - 1) + "…" : text;

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

// columns: [{name, kind}], kind "" for a text, "num" for a figure; cells are texts or elements.
function table(caption, columns, rows) {
  const head = element("tr", {}, ...columns.map(column => element("th", {scope: "col", class: column.kind || ""}, column.name)));
  const body = rows.map(row => element("tr", {}, ...row.map((cell, at) =>
    at === 0 ? element("th", {scope: "row", class: columns[at].kind || ""}, cell) : element("td", {class: columns[at].kind || ""}, cell))));
  return element("table", {}, element("caption", {}, caption), element("thead", {}, head), element("tbody", {}, ...body));
}

const css = name => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
