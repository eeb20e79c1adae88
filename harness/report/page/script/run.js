// The run: what the page knows of its cells. A cell is a number, the place in the columns.

const run = (() => {
  const data = JSON.parse(byId("data").textContent);
  const { size } = data;
  const columns = {};
  for (const [name, column] of Object.entries(data.cells)) columns[name] = unpack(column, size);
  const attempts = {};
  const tried = columns.tries.reduce((sum, count) => sum + count, 0);
  for (const name of ["outcome", "phase", "isolation", "bytes", "error", "log", "shape", "criu", "machine"])
    attempts[name] = unpack(data.attempts[name], tried);
  const firstTry = new Uint32Array(size + 1);
  for (let cell = 0; cell < size; cell += 1) firstTry[cell + 1] = firstTry[cell] + columns.tries[cell];
  const firstTime = new Uint32Array(tried + 1);
  for (let attempt = 0; attempt < tried; attempt += 1)
    firstTime[attempt + 1] = firstTime[attempt] + data.attempts.shapes[attempts.shape[attempt]].length;
  const times = unpack(data.attempts.times, firstTime[tried]);
  const baseline = data.modes.indexOf("baseline");
  return { ...data, columns, attempts: { ...data.attempts, ...attempts }, firstTry, firstTime, times, baseline };
})();

/** What can span the grid. */
const AXES = {
  source: { title: "source", names: run.kernels.map((kernel) => kernel.name), column: run.columns.source, under: run.kernels.map((kernel) => kernel.version) },
  destination: { title: "destination", names: run.kernels.map((kernel) => kernel.name), column: run.columns.destination, under: run.kernels.map((kernel) => kernel.version) },
  scenario: { title: "scenario", names: run.scenarios.map((scenario) => scenario.name), column: run.columns.scenario },
  userland: { title: "userland", names: run.userlands.map((userland) => userland.name), column: run.columns.userland, under: run.userlands.map((userland) => (userland.criu ? `CRIU ${userland.criu}` : "")) },
};

const COMPATIBLE = 0;

function isBaseline(cell) {
  return run.columns.mode[cell] === run.baseline;
}

function isDiagonal(cell) {
  return !isBaseline(cell) && run.columns.source[cell] === run.columns.destination[cell];
}

function partsOf(cell) {
  const { userland, mode, scenario, source, destination } = run.columns;
  return {
    userland: run.userlands[userland[cell]].name,
    mode: run.modes[mode[cell]],
    scenario: run.scenarios[scenario[cell]].name,
    source: run.kernels[source[cell]].name,
    destination: run.kernels[destination[cell]].name,
  };
}

/** The cell's name in the ledger and on the command line. */
function nameOf(cell) {
  const { userland, mode, scenario, source, destination } = partsOf(cell);
  const head = `${userland}/${mode}/${scenario}/${source}`;
  return isBaseline(cell) ? head : `${head}→${destination}`;
}

let placeByName = null;

/** The cell of a name, or -1; `->` may stand for the arrow. */
function cellNamed(name) {
  if (placeByName === null) {
    placeByName = new Map();
    for (let cell = run.size - 1; cell >= 0; cell -= 1) placeByName.set(nameOf(cell), cell);
  }
  const found = placeByName.get(name) ?? placeByName.get(name.replace("->", "→"));
  return found === undefined ? -1 : found;
}

/** A text with a cell's names put back where `harness/report/page/pattern.py` took them out. */
function written(pattern, cell, attempt) {
  const parts = partsOf(cell);
  const names = {
    c: `${parts.userland}/${parts.mode}/${parts.scenario}/`,
    s: parts.source,
    d: parts.destination,
    n: parts.scenario,
    a: `/${attempt}/`,
  };
  return pattern.replace(/\u0002(\w)\u0003/g, (_, mark) => names[mark]);
}

/** What is judged of a cell. */
function judgementOf(cell) {
  const [why, direction, blame, known, looksLike, anInterface, remedy, remedied, settle] = run.judgements[run.columns.judgement[cell]];
  return { why: written(why, cell), direction: run.directions[direction], blame, known, looksLike, interface: anInterface, remedy, remedied, settle: written(settle, cell) };
}

/** Every attempt at a cell, oldest first. */
function attemptsOf(cell) {
  const found = [];
  for (let at = run.firstTry[cell]; at < run.firstTry[cell + 1]; at += 1) {
    const number = found.length + 1;
    const phases = run.attempts.shapes[run.attempts.shape[at]].map((name, place) => ({ name, seconds: run.times[run.firstTime[at] + place] / 100 }));
    found.push({
      number,
      outcome: run.outcomes[run.attempts.outcome[at]],
      phase: run.phases[run.attempts.phase[at]],
      isolation: run.isolations[run.attempts.isolation[at]],
      bytes: run.attempts.bytes[at] ? run.attempts.bytes[at] - 1 : null,
      error: run.attempts.errors[run.attempts.error[at]],
      criu: run.attempts.crius[run.attempts.criu[at]],
      machine: run.attempts.machines[run.attempts.machine[at]],
      phases,
      logs: run.attempts.logs[run.attempts.log[at]].map(([name, path]) => ({ name, href: path ? linkTo(written(path, cell, number)) : null })),
    });
  }
  return found;
}

function linkTo(path) {
  try {
    return `./${path.split("/").map(encodeURIComponent).join("/")}`;
  } catch {
    return null; // half a character: no file system has such a name
  }
}

function causeOf(cell) {
  const number = run.columns.cause[cell];
  return number ? run.causes[number - 1] : null;
}

/** The error of a cell's last word; where there was no room for its own, that of the first cell of its cause. */
function errorOf(cell) {
  const last = run.firstTry[cell + 1] - 1;
  const own = run.attempts.errors[run.attempts.error[last]];
  const cause = causeOf(cell);
  return own || (cause ? cause.error : "");
}
