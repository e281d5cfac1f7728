// What is on the page follows the selection.
const byId = id => document.getElementById(id);

const PLOTS = {
  "plot-jobs": jobsByStatus, "plot-success": successOverTime, "plot-duration": durationOverTime, "plot-queue": queueOverTime,
  "plot-failing": failingConnectors, "plot-slowest": slowestConnectors, "plot-heat": connectorHeat, "plot-errors": errorsOverTime,
};
const SETTINGS = {displayModeBar: false, responsive: true, displaylogo: false, scrollZoom: false, doubleClick: "reset"};
const drawn = {};

function errorTotals() {
  const found = data.failures, totals = new Map();
  for (let cell = 0; cell < found.when.length; cell++) {
    if (chosen.connector !== null && found.connector[cell] !== chosen.connector) continue;
    if (chosen.type !== null && found.type[cell] !== chosen.type) continue;
    if (!inTime(found.when[cell], found.by_day_from)) continue;
    const kind = found.kind[cell];
    if (!totals.has(kind)) totals.set(kind, {jobs: 0, connectors: new Set(), first: null, last: null, days: new Map()});
    const total = totals.get(kind), when = found.when[cell];
    total.jobs += found.jobs[cell];
    total.connectors.add(found.connector[cell]);
    if (when === null) continue;
    total.first = total.first === null ? when : Math.min(total.first, when);
    total.last = total.last === null ? when : Math.max(total.last, when);
    total.days.set(when, (total.days.get(when) || 0) + found.jobs[cell]);
  }
  return [...totals].sort((a, b) => b[1].jobs - a[1].jobs);
}
const textOfKind = kind => kind < data.failures.kinds.length ? data.failures.kinds[kind].text : "other texts";

function errorsOverTime() {
  const totals = errorTotals(), days = totals.flatMap(found => [...found[1].days.keys()]);
  const first = Math.min(...days), unit = unitFor(Math.max(...days) - first, first >= data.failures.by_day_from);
  const ranked = totals.filter(([kind]) => kind < data.failures.kinds.length).slice(0, 5), shown = new Set(ranked.map(found => found[0]));
  const groups = [...ranked.map(([kind, total]) => [textOfKind(kind), [total]]),
    ["all others", totals.filter(([kind]) => !shown.has(kind)).map(found => found[1])]];
  const counted = groups.map(([text, parts]) => {
    const starts = new Map();
    for (const part of parts) for (const [day, jobs] of part.days) starts.set(startOf[unit](day), (starts.get(startOf[unit](day)) || 0) + jobs);
    return [text, new Map([...starts].sort((a, b) => a[0] - b[0]))];
  }).filter(group => group[1].size);
  const all = [...new Set(counted.flatMap(group => [...group[1].keys()]))].sort((a, b) => a - b);
  const shapes = ["", "/", "x", ".", "-", "\\"];
  return {
    note: `Each bar is one ${unitWords[unit]}; the five most frequent texts, and all others.`,
    traces: counted.map(([text, starts], place) => ({
      type: "bar", name: plain(shortened(text, narrow() ? 34 : 60)), x: [...starts.keys()].map(dateOf), y: [...starts.values()],
      width: [...starts.keys()].map(start => lengthOf[unit](start) * DAY_MS * 0.86), offset: 0,
      marker: {color: text === "all others" ? css("other") : css(`line-${place % 6}`),
        pattern: hatched(shapes[place % 6])},
      hovertemplate: `%{x|%Y-%m-%d}: %{y:,} × ${plain(shortened(text, 70))}<extra></extra>`,
    })),
    layout: layout({barmode: "stack", xaxis: timeAxis(all, unit), height: 330,
      yaxis: countAxis(Math.max(0, ...all.map(start => counted.reduce((sum, group) => sum + (group[1].get(start) || 0), 0)))),
      legend: {orientation: "v", y: -0.16, yanchor: "top", x: 0, font: {size: 11.5}}}),
    columns: [{name: `first day of ${unit}`}, {name: "text", kind: "text"}, {name: "jobs", kind: "num"}],
    rows: counted.flatMap(([text, starts]) => [...starts].map(([start, jobs]) => [dateOf(start), text, number.format(jobs)]))
      .sort((a, b) => a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0),
  };
}

function showErrors() {
  const totals = errorTotals(), all = totals.reduce((sum, found) => sum + found[1].jobs, 0);
  const rows = totals.map(([kind, total]) => {
    const known = data.failures.kinds[kind];
    const text = element("div", {}, element("span", {class: "mono"}, textOfKind(kind)));
    if (known && known.example !== known.text) {
      text.append(element("details", {}, element("summary", {}, "an example"),
        element("p", {class: "mono"}, known.example), element("p", {class: "note"}, "job ", element("code", {}, known.job_id))));
    }
    const fill = element("i"); fill.style.width = `${Math.max(1, 100 * total.jobs / totals[0][1].jobs)}%`;
    const day = when => when === null ? "–" : when < data.failures.by_day_from ? dateOf(when).slice(0, 7) : dateOf(when);
    return [text, element("div", {}, number.format(total.jobs), element("span", {class: "bar"}, fill)), percent(total.jobs / all),
      number.format(total.connectors.size), day(total.first), day(total.last)];
  });
  byId("errors").replaceChildren(rows.length ? table("Errors by what they say, the most frequent first", [{name: "text", kind: "text"},
    {name: "jobs", kind: "num"}, {name: "share", kind: "num"}, {name: "connectors", kind: "num"}, {name: "first", kind: "when"},
    {name: "last", kind: "when"}], rows) : element("p", {}, "No job of this selection has an error."));
}

function showFigures() {
  const total = whole(cube());
  const put = (id, text) => { byId(id).textContent = text; };
  put("key-jobs", number.format(total.jobs));
  put("key-rate", percent(total.rate));
  put("key-rate-note", `${number.format(total.status("completed"))} completed, ${number.format(total.status("error"))} failed`);
  put("key-unfinished", number.format(total.unfinished));
  put("key-documents", short.format(total.documents));
  put("key-documents-note", `${number.format(total.documents)} indexed, ${number.format(total.deleted)} deleted`);
  put("key-volume", mebibytes(total.volume));
  put("key-volume-note", total.odd ? `without ${jobsIn(total.odd)} whose volume cannot be in MiB` : "as reported, in MiB");
  put("key-duration", span(total.duration.quantile(0.5)));
  put("key-duration-note", total.duration.total ? `p95 ${span(total.duration.quantile(0.95))}` : "no job completed");
}

function showSelection() {
  const words = [chosen.connector === null ? "All connectors" : `Connector ${nameOfConnector(chosen.connector)}`,
    chosen.type === null ? "all job types" : nameOfType(chosen.type),
    chosen.from === null && chosen.to === null ? "all time" : `${chosen.from === null ? "until" : `from ${dateOf(chosen.from)}`} ${chosen.to === null ? "on" : `${chosen.from === null ? "" : "to "}${dateOf(chosen.to)}`}`];
  const border = Math.max(cube().by_day_from, data.failures.by_day_from);
  const isOld = border > data.oldest && chosen.from !== null && chosen.from < border;
  byId("selection").textContent = `${words.join(", ")}: ${jobsIn(whole(cube()).jobs)}.`
    + (isOld ? ` Jobs before ${dateOf(border)} are kept by month: a selection takes whole months there.` : "");
}

// Lists that the page holds in full are narrowed row by row.
function narrowLists() {
  for (const list of document.querySelectorAll("[data-list]")) {
    let left = 0;
    const rows = list.querySelectorAll("tbody tr");
    for (const row of rows) {
      const day = row.dataset.day === undefined ? undefined : row.dataset.day === "" ? null : Number(row.dataset.day);
      row.hidden = !(chosen.connector === null || Number(row.dataset.connector) === chosen.connector)
        || !(day === undefined || inTime(day, -Infinity));
      left += row.hidden ? 0 : 1;
    }
    for (const place of list.querySelectorAll(".scroll")) place.hidden = !place.querySelector("tbody tr:not([hidden])");
    const told = list.querySelector(".left");
    if (told) told.textContent = left === rows.length ? "" : `${number.format(left)} of the ${number.format(rows.length)} listed rows are of this selection.`;
  }
}

function draw(id) {
  const figure = byId(id), canvas = figure.querySelector(".canvas"), found = PLOTS[id]();
  figure.querySelector(".unit").textContent = found.note;
  const isEmpty = !found.traces.length;
  canvas.classList.toggle("empty", isEmpty);
  if (isEmpty) {
    Plotly.purge(canvas);
    canvas.textContent = "Nothing to show for this selection.";
  } else {
    if (!drawn[id]) canvas.replaceChildren();
    Plotly.react(canvas, found.traces, found.layout, SETTINGS);
  }
  drawn[id] = !isEmpty;
  const details = figure.querySelector("details"), place = details.querySelector(".scroll");
  const fill = () => place.replaceChildren(table(figure.querySelector("h3").textContent, found.columns, found.rows));
  place.replaceChildren();
  details.ontoggle = () => { if (details.open && !place.childElementCount) fill(); };
  if (details.open) fill();
}

function show() {
  showFigures(); showSelection(); showErrors(); narrowLists();
  Object.keys(PLOTS).forEach(draw);
}

function option(value, text) { return element("option", {value}, text); }

function start() {
  const connectors = byId("connector"), types = byId("type"), from = byId("from"), to = byId("to");
  connectors.append(...data.connectors.slice(0, data.parts.connectors).map((known, place) =>
    option(place, nameOfConnector(place) + (known.service ? ` (${known.service})` : ""))));
  if (data.parts.connector.some(place => place >= data.parts.connectors)) connectors.append(option(data.parts.connectors, "other connectors"));
  types.append(...data.types.map((_, place) => option(place, nameOfType(place))));
  const presets = [...document.querySelectorAll("[data-days]")];
  const mark = () => presets.forEach(button => {
    const days = button.dataset.days;
    const isOn = days === "" ? chosen.from === null && chosen.to === null
      : chosen.to === null && chosen.from === data.newest - Number(days) + 1;
    button.setAttribute("aria-pressed", String(isOn));
  });
  const read = () => {
    chosen.connector = connectors.value === "" ? null : Number(connectors.value);
    chosen.type = types.value === "" ? null : Number(types.value);
    chosen.split = byId("split").value;
    chosen.from = from.value ? dayOf(from.value) : null;
    chosen.to = to.value ? dayOf(to.value) : null;
    mark(); show();
  };
  presets.forEach(button => button.addEventListener("click", () => {
    from.value = button.dataset.days === "" ? "" : dateOf(data.newest - Number(button.dataset.days) + 1);
    to.value = "";
    read();
  }));
  byId("filters").addEventListener("change", read);
  byId("split").addEventListener("change", read);
  byId("filters").addEventListener("submit", event => event.preventDefault());
  byId("filters").addEventListener("reset", () => setTimeout(read));
  for (const query of ["(prefers-color-scheme: dark)", "(max-width: 639px)"]) matchMedia(query).addEventListener("change", show);
  document.documentElement.dataset.script = "on";
  read();
}
start();
