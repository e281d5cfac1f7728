// The selection that a reader makes, and the cells that fall into it.
const data = JSON.parse(document.getElementById("figures").textContent);
const DAY_MS = 86400000;
const chosen = {connector: null, type: null, from: null, to: null, split: "type"};

const dateOf = day => new Date(day * DAY_MS).toISOString().slice(0, 10);
const dayOf = text => Math.floor(Date.parse(text + "T00:00:00Z") / DAY_MS);
function monthOf(day) {
  const date = new Date(day * DAY_MS);
  return Math.floor(Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), 1) / DAY_MS);
}
const weekOf = day => day - (((day + 3) % 7) + 7) % 7;  // 1970 began on a Thursday
const lengthOf = {
  day: () => 1,
  week: () => 7,
  month: start => monthOf(start + 31) - start,
};
const startOf = {day: day => day, week: weekOf, month: monthOf};

// A cell before `by_day_from` holds a whole month: the selection takes it where it takes any day of it.
function inTime(when, byDayFrom) {
  if (chosen.from === null && chosen.to === null) return true;
  if (when === null) return false;
  const last = when < byDayFrom ? when + lengthOf.month(when) - 1 : when;
  return (chosen.from === null || last >= chosen.from) && (chosen.to === null || when <= chosen.to);
}

// Calls back with each cell of a cube that is selected.
function eachCell(cube, {connectors = true} = {}, callback) {
  for (let cell = 0; cell < cube.when.length; cell++) {
    if (connectors && chosen.connector !== null && cube.connector.length && cube.connector[cell] !== chosen.connector) continue;
    if (chosen.type !== null && cube.type[cell] !== chosen.type) continue;
    if (inTime(cube.when[cell], cube.by_day_from)) callback(cell);
  }
}

const cube = () => (chosen.connector === null ? data.total : data.parts);

// Bins of durations, added up; the same rule as in the program that made them.
class Bins {
  constructor(steps) { this.steps = steps; this.counts = new Map(); this.total = 0; }
  // The first bin, then counts of it and those that follow; a negative number leaves out so many bins.
  add(runs) {
    let bin = runs[0];
    for (let at = 1; at < runs.length; at++) {
      if (runs[at] < 0) { bin -= runs[at]; continue; }
      this.counts.set(bin, (this.counts.get(bin) || 0) + runs[at]);
      this.total += runs[at];
      bin++;
    }
  }
  quantile(share) {
    let seen = 0;
    for (const bin of [...this.counts.keys()].sort((a, b) => a - b)) {
      seen += this.counts.get(bin);
      if (seen >= share * this.total) return bin < 0 ? 0.5 : 2 ** ((bin + 0.5) / this.steps);
    }
    return null;
  }
}

class Total {
  constructor(steps) {
    this.jobs = 0; this.statuses = new Array(data.statuses.length + 1).fill(0);
    this.documents = 0; this.deleted = 0; this.volume = 0; this.odd = 0;
    this.duration = new Bins(steps); this.queue = new Bins(steps);
  }
  add(from, cell) {
    from.statuses.forEach((column, status) => { this.statuses[status] += column[cell]; this.jobs += column[cell]; });
    for (const name of ["documents", "deleted", "volume", "odd"]) this[name] += from[name][cell];
    this.duration.add(from.duration[cell]);
    this.queue.add(from.queue[cell]);
  }
  status(name) { const place = data.statuses.indexOf(name); return place < 0 ? 0 : this.statuses[place]; }
  get ended() { return this.status("completed") + this.status("error"); }
  get rate() { return this.ended ? this.status("completed") / this.ended : null; }
  get unfinished() { return this.jobs - this.ended - this.status("canceled"); }
}

// The unit of the plots: fine enough to see, coarse enough to read, and no finer than the cells are.
function unitOf(from) {
  let first = Infinity, last = -Infinity;
  eachCell(from, {}, cell => {
    const when = from.when[cell];
    if (when !== null) { first = Math.min(first, when); last = Math.max(last, when); }
  });
  return first > last ? "day" : unitFor(last - first, first >= from.by_day_from);
}
function unitFor(days, hasDays) {
  if (!hasDays) return "month";
  const room = window.innerWidth < 640 ? 0.5 : 1;
  return days <= 120 * room ? "day" : days <= 800 * room ? "week" : "month";
}

// Totals by time and by a line: Map(line → Map(first day → Total)), in the order of time.
function series(from, unit, lineOf, options) {
  const lines = new Map();
  eachCell(from, options, cell => {
    if (from.when[cell] === null) return;
    const line = lineOf(cell), start = startOf[unit](from.when[cell]);
    if (line === null) return;
    if (!lines.has(line)) lines.set(line, new Map());
    const places = lines.get(line);
    if (!places.has(start)) places.set(start, new Total(from.steps));
    places.get(start).add(from, cell);
  });
  for (const [line, places] of lines) lines.set(line, new Map([...places].sort((a, b) => a[0] - b[0])));
  return lines;
}

function whole(from, options) {
  const total = new Total(from.steps);
  eachCell(from, options, cell => total.add(from, cell));
  return total;
}

// Totals by connector, of all connectors whichever is chosen.
function byConnector() {
  const totals = new Map();
  eachCell(data.parts, {connectors: false}, cell => {
    const connector = data.parts.connector[cell];
    if (!totals.has(connector)) totals.set(connector, new Total(data.parts.steps));
    totals.get(connector).add(data.parts, cell);
  });
  return totals;
}

const nameOfType = place => place >= data.types.length ? "other types" : data.types[place] ?? "(no type)";
const nameOfStatus = place => place >= data.statuses.length ? "(other)" : data.statuses[place] ?? "(no status)";
function nameOfConnector(place) {
  if (place >= data.parts.connectors) return "other connectors";
  return data.connectors[place].id ?? "(no connector)";
}
