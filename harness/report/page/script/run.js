// The run: what the page knows of its cells. A cell is a number, the place in the columns.

const NUMBER = "\u0002#\u0003"; // in an error: the next of the attempt's numbers

/** Where each one's part of a common list begins. */
function runningSum(length, countOf) {
  const sums = new Uint32Array(length + 1);
  for (let place = 0; place < length; place += 1) sums[place + 1] = sums[place] + countOf(place);
  return sums;
}

const run = (() => {
  const data = JSON.parse(byId("data").textContent);
  const { size } = data;
  const columns = {};
  for (const [name, column] of Object.entries(data.cells)) columns[name] = unpack(column, size);
  data.past.column = unpack(data.past.column, size);
  const tried = columns.tries.reduce((sum, count) => sum + count, 0);
  const attempts = data.attempts;
  for (const name of ["fate", "kibi", "error"]) attempts[name] = unpack(attempts[name], tried);
  const firstTry = runningSum(size, (cell) => columns.tries[cell]);
  const firstTime = runningSum(tried, (attempt) => attempts.shapes[attempts.fates[attempts.fate[attempt]][3]].length);
  const holes = attempts.errors.map((error) => error.split(NUMBER).length - 1);
  const firstNumber = runningSum(tried, (attempt) => holes[attempts.error[attempt]]);
  const times = unpack(attempts.times, firstTime[tried]);
  const numbers = unpack(attempts.numbers, firstNumber[tried]);
  const baseline = data.modes.indexOf("baseline");
  return { ...data, columns, firstTry, firstTime, firstNumber, times, numbers, baseline };
})();

/** What can span the grid. */
const AXES = {
  source: { title: "source", names: run.kernels.map((kernel) => kernel.name), column: run.columns.source, under: run.kernels.map((kernel) => kernel.version) },
  destination: { title: "destination", names: run.kernels.map((kernel) => kernel.name), column: run.columns.destination, under: run.kernels.map((kernel) => kernel.version) },
  scenario: { title: "scenario", names: run.scenarios.map((scenario) => scenario.name), column: run.columns.scenario },
  userland: { title: "userland", names: run.userlands.map((userland) => userland.name), column: run.columns.userland, under: run.userlands.map((userland) => (userland.criu ? `CRIU ${userland.criu}` : "")) },
};

const COMPATIBLE = 0;
const LAB_ERROR = run.verdicts.findIndex((verdict) => verdict.name === "lab error"); // what is worse says something of a kernel

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

/** The phase in which a cell's last attempt ended, as a place in `run.phases`. */
function lastPhase(cell) {
  return run.attempts.fates[run.attempts.fate[run.firstTry[cell + 1] - 1]][1];
}

/** Every attempt at a cell, oldest first. */
function attemptsOf(cell) {
  const found = [];
  for (let at = run.firstTry[cell]; at < run.firstTry[cell + 1]; at += 1) {
    const { fates, fate, kibi, shapes, logs, crius, machines } = run.attempts;
    const [outcome, phase, isolation, shape, log, criu, machine] = fates[fate[at]];
    const number = found.length + 1;
    found.push({
      number,
      outcome: run.outcomes[outcome],
      phase: run.phases[phase],
      isolation: run.isolations[isolation],
      kibi: kibi[at] ? kibi[at] - 1 : null,
      error: errorAt(at),
      criu: crius[criu],
      machine: machines[machine],
      phases: shapes[shape].map((name, place) => ({ name, seconds: run.times[run.firstTime[at] + place] / 100 })),
      logs: logs[log].map(([name, path]) => ({ name, href: path ? linkTo(written(path, cell, number)) : null })),
    });
  }
  return found;
}

/** The error of an attempt, its numbers put back. */
function errorAt(attempt) {
  let place = run.firstNumber[attempt];
  return run.attempts.errors[run.attempts.error[attempt]].replaceAll(NUMBER, () => String(run.numbers[place++]));
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
  const own = errorAt(run.firstTry[cell + 1] - 1);
  const cause = causeOf(cell);
  return own || (cause ? cause.error : "");
}
