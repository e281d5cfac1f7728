// The plots: each returns what Plotly draws, and the same figures as a table.
const narrow = () => window.innerWidth < 640;
const LINES = ["circle", "square", "diamond", "triangle-up", "cross", "star"];
const PATTERNS = {error: "/", canceled: ".", suspended: "x", pending: "-"};
const UNITS = [["s", 1, [1, 2, 5, 10, 20, 30]], ["min", 60, [1, 2, 5, 10, 20, 30]], ["h", 3600, [1, 2, 4, 8, 12]], ["d", 86400, [1, 2, 4, 7, 14, 30]]];
const FINE = UNITS.flatMap(([unit, size, counts]) => counts.map(count => [count * size, `${count} ${unit}`]));
const COARSE = FINE.filter(tick => ["1 s", "10 s", "1 min", "10 min", "1 h", "8 h", "2 d", "14 d"].includes(tick[1]));
const hatched = shape => ({shape: shape || "", fillmode: "overlay", fgcolor: css("card"), fgopacity: 0.75, size: 6, solidity: 0.2});
const unitWords = {day: "day", week: "week (from Monday)", month: "month"};

function layout(extra = {}) {
  const axis = {gridcolor: css("line"), linecolor: css("line"), zerolinecolor: css("line"), tickcolor: css("line"),
    automargin: true, fixedrange: narrow()};
  return {
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    font: {family: "system-ui, sans-serif", size: 12, color: css("muted")},
    margin: {l: 10, r: 10, t: 10, b: 10}, height: narrow() ? 320 : 300,
    legend: {orientation: "h", y: -0.16, yanchor: "top", x: 0, font: {size: narrow() ? 11 : 12}},
    hoverlabel: {bgcolor: css("card"), bordercolor: css("line"), font: {color: css("ink")}, align: "left"},
    dragmode: narrow() ? false : "zoom", showlegend: true,
    ...extra, xaxis: {...axis, ...extra.xaxis}, yaxis: {...axis, rangemode: "tozero", ...extra.yaxis},
  };
}

// Round durations as ticks, as many as the values reach over.
function logTime(values) {
  const known = values.filter(value => value !== null), least = Math.min(...known), most = Math.max(...known);
  const ticks = (most / least < 50 ? FINE : COARSE).filter(([seconds]) => seconds >= least / 3 && seconds <= most * 3);
  return {type: "log", tickvals: ticks.map(tick => tick[0]), ticktext: ticks.map(tick => tick[1]), rangemode: "normal"};
}

// Small counts get no ticks between whole numbers.
const countAxis = most => ({tickformat: ",d", ...(most < 6 ? {dtick: 1} : {})});

// Dates of an axis: a little room on both sides, so that one day alone has a width.
function timeAxis(starts, unit) {
  if (!starts.length) return {type: "date"};
  const first = Math.min(...starts), last = Math.max(...starts);
  const room = Math.max(lengthOf[unit](first), 2);
  return {type: "date", range: [dateOf(first - room), dateOf(last + lengthOf[unit](last) + room)], hoverformat: "%Y-%m-%d"};
}

function jobsByStatus() {
  const from = cube(), unit = unitOf(from);
  const totals = series(from, unit, () => 0).get(0) || new Map();
  const starts = [...totals.keys()];
  const shown = [...data.statuses.keys(), data.statuses.length].filter(place => starts.some(start => totals.get(start).statuses[place]));
  const traces = shown.map(place => {
    const name = nameOfStatus(place), colour = css(name) || css("other");
    return {
      type: "bar", name: plain(name), x: starts.map(dateOf), y: starts.map(start => totals.get(start).statuses[place]),
      width: starts.map(start => lengthOf[unit](start) * DAY_MS * 0.86), offset: 0,
      marker: {color: colour, line: {width: 0}, pattern: hatched(PATTERNS[name])},
      hovertemplate: `%{x|%Y-%m-%d}: %{y:,} ${plain(name)}<extra></extra>`,
    };
  });
  return {
    note: `Each bar is one ${unitWords[unit]}, by the time of creation (UTC).`,
    traces, layout: layout({barmode: "stack", xaxis: timeAxis(starts, unit),
      yaxis: countAxis(Math.max(0, ...starts.map(start => totals.get(start).jobs)))}),
    columns: [{name: `first day of ${unit}`}, ...shown.map(place => ({name: nameOfStatus(place), kind: "num"})), {name: "all", kind: "num"}],
    rows: starts.map(start => [dateOf(start), ...shown.map(place => number.format(totals.get(start).statuses[place])),
      number.format(totals.get(start).jobs)]),
  };
}

// A median of three jobs says little: units grow until a point has some jobs on average.
const ENOUGH = 8;
function unitOfLines(from, places) {
  let unit = unitOf(from);
  const selected = cell => places === null || places.includes(from.connector[cell]);
  for (const coarser of unit === "day" ? ["week", "month"] : unit === "week" ? ["month"] : []) {
    let jobs = 0;
    const points = new Set();
    eachCell(from, {connectors: places === null}, cell => {
      if (from.when[cell] === null || !selected(cell)) return;
      jobs += from.statuses.reduce((sum, column) => sum + column[cell], 0);
      const line = places === null ? (chosen.split === "type" ? from.type[cell] : 0) : from.connector[cell];
      points.add(`${line} ${startOf[unit](from.when[cell])}`);
    });
    if (!points.size || jobs / points.size >= ENOUGH) break;
    unit = coarser;
  }
  return unit;
}

// Lines by job type, by connector (those with the most jobs), or one.
function lines() {
  if (chosen.split === "connector") {
    const top = [...byConnector()].filter(([place]) => place < data.parts.connectors)
      .sort((a, b) => b[1].jobs - a[1].jobs).slice(0, 6).map(([place]) => place);
    const places = chosen.connector === null ? top : [chosen.connector];
    const from = data.parts, unit = unitOfLines(from, places);
    const totals = series(from, unit, cell => places.includes(from.connector[cell]) ? from.connector[cell] : null);
    return {unit, lines: places.filter(place => totals.has(place)).map(place => [nameOfConnector(place), totals.get(place)])};
  }
  const from = cube(), unit = unitOfLines(from, null);
  const lineOf = chosen.split === "type" ? cell => from.type[cell] : () => 0;
  const totals = [...series(from, unit, lineOf)].sort((a, b) => a[0] - b[0]);
  return {unit, lines: totals.map(([place, found]) => [chosen.split === "type" ? nameOfType(place) : "all jobs", found])};
}

const lineStyle = place => ({color: css(`line-${place % 6}`), width: 2});
const marker = (place, count) => ({symbol: LINES[place % 6], size: count > 60 ? 4 : 6});

function overTime(valueOf, write, countOf, columnsOf, yaxis) {
  const {unit, lines: found} = lines();
  const traces = [], rows = [], starts = [];
  found.forEach(([name, totals], place) => {
    for (const {label, dash, of} of valueOf) {
      const points = [...totals].map(([start, total]) => [start, of(total), total]).filter(point => point[1] !== null);
      traces.push({
        type: "scatter", mode: "lines+markers", name: plain(shortened(name, 30)), legendgroup: String(place), showlegend: dash !== "dot",
        x: points.map(point => dateOf(point[0])), y: points.map(point => point[1]),
        text: points.map(point => `${dateOf(point[0])}: ${plain(name)}${label ? `, ${label}` : ""} ${write(point[1])}, of ${jobsIn(countOf(point[2]))}`),
        hovertemplate: "%{text}<extra></extra>", line: {...lineStyle(place), dash, width: dash === "dot" ? 1.5 : 2},
        marker: marker(place, points.length), opacity: dash === "dot" ? 0.7 : 1,
      });
    }
    for (const [start, total] of totals) {
      const cells = columnsOf(total);
      if (cells !== null) { rows.push([dateOf(start), name, ...cells]); starts.push(start); }
    }
  });
  rows.sort((a, b) => a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0);
  const drawn = traces.filter(trace => trace.x.length);
  return {unit, traces: drawn, rows, layout: layout({xaxis: timeAxis(starts, unit), yaxis: yaxis(drawn)})};
}

const head = unit => [{name: `first day of ${unit}`}, {name: "line"}];

function successOverTime() {
  const {unit, ...found} = overTime([{label: "", of: total => total.rate}], percent, total => total.ended,
    total => total.ended ? [percent(total.rate), number.format(total.status("completed")), number.format(total.status("error"))] : null,
    () => ({tickformat: ".0%", range: [-0.03, 1.03]}));
  return {...found, note: `By ${unitWords[unit]}: completed jobs as a share of those that completed or failed.`,
    columns: [...head(unit), ...["success rate", "completed", "failed"].map(name => ({name, kind: "num"}))]};
}

function spansOverTime(bins, note) {
  const values = [{label: "median", dash: "solid", of: total => total[bins].quantile(0.5)},
    {label: "p95", dash: "dot", of: total => total[bins].quantile(0.95)}];
  const {unit, ...found} = overTime(values, span, total => total[bins].total,
    total => total[bins].total ? [span(total[bins].quantile(0.5)), span(total[bins].quantile(0.95)), number.format(total[bins].total)] : null,
    traces => logTime(traces.flatMap(trace => trace.y)));
  return {...found, note: `By ${unitWords[unit]}: the median (solid) and p95 (dotted), which 95% do not exceed, on a logarithmic scale. ${note}`,
    columns: [...head(unit), ...["median", "p95", "jobs"].map(name => ({name, kind: "num"}))]};
}

const durationOverTime = () => spansOverTime("duration", "From start to end, of jobs that completed.");
const queueOverTime = () => spansOverTime("queue", "From creation to start.");

function ranked(valueOf) {
  return [...byConnector()].map(([place, total]) => [place, total, valueOf(total)]).filter(found => found[2] > 0)
    .sort((a, b) => b[2] - a[2]);
}

const named = place => plain(shortened(nameOfConnector(place), narrow() ? 16 : 28));
const rankedLayout = (count, extra) => layout({height: 90 + count * 26, showlegend: false, ...extra,
  yaxis: {autorange: "reversed", type: "category", gridcolor: "rgba(0,0,0,0)", rangemode: "normal"}});
const unique = places => places.map((place, at) => `${named(place)}${"\u200b".repeat(at)}`);  // equal beginnings stay two rows

function failingConnectors() {
  const found = ranked(total => total.status("error")), top = found.slice(0, 12);
  return {
    note: "Failed jobs in the time and of the type chosen, and their share of jobs that completed or failed.",
    traces: top.length ? [{
      type: "bar", orientation: "h", y: unique(top.map(row => row[0])), x: top.map(row => row[2]),
      text: top.map(row => `${number.format(row[2])} · ${percent(1 - row[1].rate)}`), textposition: "auto", cliponaxis: false,
      insidetextfont: {color: css("card")}, outsidetextfont: {color: css("ink")},
      hovertext: top.map(row => `${plain(nameOfConnector(row[0]))}: ${number.format(row[2])} failed of ${number.format(row[1].ended)}`),
      hovertemplate: "%{hovertext}<extra></extra>",
      marker: {color: top.map(row => row[0] === chosen.connector ? css("accent") : css("error"))},
    }] : [],
    layout: rankedLayout(top.length, {xaxis: {...countAxis(top.length ? top[0][2] : 0), rangemode: "tozero"}}),
    columns: [{name: "connector"}, {name: "service"}, ...["failed", "share", "completed", "jobs"].map(name => ({name, kind: "num"}))],
    rows: found.map(([place, total, failed]) => [nameOfConnector(place), serviceOf(place), number.format(failed),
      percent(1 - total.rate), number.format(total.status("completed")), number.format(total.jobs)]),
  };
}

const serviceOf = place => place < data.parts.connectors ? data.connectors[place].service ?? "" : "";

function slowestConnectors() {
  const found = ranked(total => total.duration.quantile(0.5) ?? 0), top = found.slice(0, 12);
  const names = unique(top.map(row => row[0]));
  const p95 = top.map(row => row[1].duration.quantile(0.95));
  const points = (values, symbol, name) => ({
    type: "scatter", mode: "markers", name, y: names, x: values, marker: {symbol, size: 11, color: css("completed"), line: {width: 1, color: css("card")}},
    text: top.map((row, at) => `${plain(nameOfConnector(row[0]))}: ${name} ${span(values[at])}`), hovertemplate: "%{text}<extra></extra>",
  });
  return {
    note: "Median (circle) and p95 (diamond) of jobs that completed, the slowest median first, on a logarithmic scale.",
    traces: top.length ? [
      {type: "scatter", mode: "lines", hoverinfo: "skip", line: {color: css("completed"), width: 3}, opacity: 0.4,
        y: names.flatMap(name => [name, name, name]), x: top.flatMap((row, at) => [row[2], p95[at], null])},
      points(top.map(row => row[2]), "circle", "median"), points(p95, "diamond", "p95"),
    ] : [],
    layout: rankedLayout(top.length, {xaxis: logTime([...top.map(row => row[2]), ...p95])}),
    columns: [{name: "connector"}, {name: "service"}, ...["median", "p95", "completed"].map(name => ({name, kind: "num"}))],
    rows: found.map(([place, total, median]) => [nameOfConnector(place), serviceOf(place), span(median),
      span(total.duration.quantile(0.95)), number.format(total.duration.total)]),
  };
}

// Success by connector and time, as colours from failing to well.
function connectorHeat() {
  const from = data.parts, all = [...byConnector().keys()], unit = unitOfLines(from, all);
  const totals = series(from, unit, cell => from.connector[cell], {connectors: false});
  const rows = [...byConnector()].filter(found => found[1].ended)
    .sort((a, b) => b[1].status("error") - a[1].status("error") || b[1].jobs - a[1].jobs).slice(0, 16).map(found => found[0]);
  const known = rows.flatMap(place => [...(totals.get(place) || new Map()).keys()]), starts = [];
  // A cell lies between two edges, so that there must be one of each unit, also where no connector has a job.
  for (let day = Math.min(...known); day <= Math.max(...known); day += lengthOf[unit](day)) starts.push(day);
  const edges = starts.length ? [...starts, starts.at(-1) + lengthOf[unit](starts.at(-1))] : [];
  const at = (place, start) => (totals.get(place) || new Map()).get(start);
  const cells = rows.map(place => starts.map(start => at(place, start)?.rate ?? null));
  return {
    note: `Success rate by ${unitWords[unit]}, from pale (all well) to strong orange (all failed), of the connectors with the most failures. Empty where no job completed or failed.`,
    traces: rows.length ? [{
      type: "heatmap", y: unique(rows), x: edges.map(dateOf), z: cells, zmin: 0, zmax: 1, xgap: starts.length > 80 ? 0 : 1, ygap: 2,
      colorscale: [[0, css("heat-low")], [0.5, css("heat-mid")], [1, css("heat-high")]],
      showscale: !narrow(), colorbar: {tickformat: ".0%", thickness: 10, outlinewidth: 0, len: 0.9},
      text: rows.map(place => starts.map(start => {
        const total = at(place, start);
        return total ? `${plain(nameOfConnector(place))}, ${dateOf(start)}: ${percent(total.rate)} of ${number.format(total.ended)}` : "";
      })), hovertemplate: "%{text}<extra></extra>", hoverongaps: false,
    }] : [],
    layout: rankedLayout(rows.length, {height: 110 + rows.length * 24, xaxis: {type: "date", gridcolor: "rgba(0,0,0,0)", nticks: narrow() ? 4 : 10}}),
    columns: [{name: "connector"}, ...["first day", "success rate", "completed", "failed"].map((name, at) => ({name: at ? name : `first day of ${unit}`, kind: at ? "num" : ""}))],
    rows: rows.flatMap(place => [...(totals.get(place) || [])].filter(found => found[1].ended).map(([start, total]) =>
      [nameOfConnector(place), dateOf(start), percent(total.rate), number.format(total.status("completed")), number.format(total.status("error"))])),
  };
}
