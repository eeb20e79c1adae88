// Cells counted into the squares of a grid.

const UNFINISHED = { sign: "…", style: "v-unfinished" };

/** How many cells a square has at most, in the whole run; the baseline's if `alone`. */
function mostOf(rowAxis, columnAxis, alone) {
  const { userland, mode, scenario, kernel } = run.unfinished;
  const all = { userland, scenario, source: kernel, ...(alone ? {} : { destination: kernel, mode }) };
  if (alone && rowAxis === "destination") return userland * scenario; // a baseline has one kernel
  const spanned = alone ? [rowAxis] : [rowAxis, columnAxis];
  return Object.entries(all).reduce((most, [axis, count]) => (spanned.includes(axis) ? most : most * count), 1);
}

/** The squares that `cells` make; rows and columns without any are left out. The baseline stands in a column of its own. */
function pivot(cells, rowAxis, columnAxis) {
  const rows = AXES[rowAxis];
  const columns = AXES[columnAxis];
  const width = columns.names.length + 1; // the last one is the baseline
  const size = rows.names.length * width;
  const [total, good, worst] = [new Uint32Array(size), new Uint32Array(size), new Uint8Array(size)];
  const verdicts = run.columns.verdict;
  const placeOfCell = (cell) => rows.column[cell] * width + (isBaseline(cell) ? width - 1 : columns.column[cell]);
  const ended = run.unfinished ? new Uint32Array(size) : null; // whatever the query says
  for (let cell = 0; ended && cell < run.size; cell += 1) ended[placeOfCell(cell)] += 1;
  const missing = (place, column) => (ended ? Math.max(0, mostOf(rowAxis, columnAxis, column < 0) - ended[place]) : 0);
  for (const cell of cells) {
    const place = placeOfCell(cell);
    const verdict = verdicts[cell];
    total[place] += 1;
    if (verdict === COMPATIBLE) good[place] += 1;
    if (verdict > worst[place]) worst[place] = verdict;
  }
  const placeAt = (row, column) => row * width + (column < 0 ? width - 1 : column);
  const rowsThere = rows.names.map((_, row) => row).filter((row) => total.subarray(row * width, (row + 1) * width).some((count) => count > 0));
  const isThere = (column) => rowsThere.some((row) => total[placeAt(row, column)] > 0);
  return {
    rowAxis,
    columnAxis,
    rows: rowsThere,
    columns: columns.names.map((_, column) => column).filter(isThere),
    baseline: isThere(-1),
    /** The square at a row and a column, null if it is empty; column -1 is the baseline. */
    at(row, column) {
      const place = placeAt(row, column);
      return total[place] ? { good: good[place], total: total[place], worst: worst[place], missing: missing(place, column) } : null;
    },
    cellsAt: (row, column) => cells.filter((cell) => placeOfCell(cell) === placeAt(row, column)),
  };
}

/** Which way the moves of a square go, in words; empty unless kernels span the grid. */
function wayOf(view, row, column) {
  const axes = [view.rowAxis, view.columnAxis];
  if (column < 0 || !axes.includes("source") || !axes.includes("destination")) return "";
  const [source, destination] = view.rowAxis === "source" ? [row, column] : [column, row];
  if (source === destination) return "diagonal, no change of kernel";
  const order = compareKeys(run.kernels[source].key, run.kernels[destination].key) || source - destination;
  return order < 0 ? "forward" : "backward";
}

/** Where a square lies, in words. */
function whereIs(view, row, column) {
  const rowName = AXES[view.rowAxis].names[row];
  return column < 0 ? `${rowName}, baseline without CRIU` : axesInWords(view, rowName, AXES[view.columnAxis].names[column]);
}

/** The sign and colours of a square: those of its worst verdict, and never a green one for what has not ended. */
function lookOf(square) {
  if (square === null) return { style: "v-none", sign: "·" };
  return square.worst === COMPATIBLE && square.missing > 0 ? UNFINISHED : run.verdicts[square.worst];
}

/** What a square holds, in words; with `all` how many of each verdict. */
function heldBy(view, row, column, all) {
  const square = view.at(row, column);
  if (square === null) return "not run";
  const told = `${square.good} of ${square.total} compatible${square.missing ? " so far" : ""}`;
  if (square.worst === COMPATIBLE) return told;
  if (!all) return `${told}, worst: ${run.verdicts[square.worst].name}`;
  const tally = new Map();
  for (const cell of view.cellsAt(row, column)) tally.set(run.columns.verdict[cell], (tally.get(run.columns.verdict[cell]) || 0) + 1);
  const rest = [...tally].filter(([verdict]) => verdict !== COMPATIBLE).sort((a, b) => b[0] - a[0]);
  return [told, ...rest.map(([verdict, count]) => `${count} ${run.verdicts[verdict].counted}`)].join(", ");
}

function axesInWords(view, rowName, columnName) {
  if (view.rowAxis === "source" && view.columnAxis === "destination") return `${rowName} → ${columnName}`;
  if (view.rowAxis === "destination" && view.columnAxis === "source") return `${columnName} → ${rowName}`;
  const worded = (axis, name) => (axis === "source" ? `from ${name}` : axis === "destination" ? `to ${name}` : name);
  return `${worded(view.rowAxis, rowName)}, ${worded(view.columnAxis, columnName)}`;
}
