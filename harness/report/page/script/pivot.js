// Cells counted into the squares of a grid.

/** The squares that `cells` make; rows and columns without any are left out. The baseline stands in a column of its own. */
function pivot(cells, rowAxis, columnAxis) {
  const rows = AXES[rowAxis];
  const columns = AXES[columnAxis];
  const width = columns.names.length + 1; // the last one is the baseline
  const counted = new Map();
  const rowThere = new Uint8Array(rows.names.length);
  const columnThere = new Uint8Array(width);
  const verdict = run.columns.verdict;
  for (const cell of cells) {
    const row = rows.column[cell];
    const column = isBaseline(cell) ? width - 1 : columns.column[cell];
    rowThere[row] = 1;
    columnThere[column] = 1;
    const key = row * width + column;
    let square = counted.get(key);
    if (square === undefined) counted.set(key, (square = { good: 0, total: 0, worst: -1, cells: [] }));
    square.total += 1;
    square.good += verdict[cell] === COMPATIBLE ? 1 : 0;
    square.worst = Math.max(square.worst, verdict[cell]);
    square.cells.push(cell);
  }
  const listed = (there, names) => names.map((_, place) => place).filter((place) => there[place]);
  return {
    rowAxis,
    columnAxis,
    rows: listed(rowThere, rows.names),
    columns: listed(columnThere, columns.names),
    baseline: columnThere[width - 1] === 1,
    /** The square at a row and a column; column -1 is the baseline. */
    at: (row, column) => counted.get(row * width + (column < 0 ? width - 1 : column)) || null,
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

/** A square in words: where, how many, the worst first. */
function inWords(view, row, column) {
  const square = view.at(row, column);
  const rowName = AXES[view.rowAxis].names[row];
  const place = column < 0 ? `${rowName}, baseline without CRIU` : axesInWords(view, rowName, AXES[view.columnAxis].names[column]);
  if (square === null) return { place, way: wayOf(view, row, column), said: "not run" };
  const tally = new Map();
  for (const cell of square.cells) tally.set(run.columns.verdict[cell], (tally.get(run.columns.verdict[cell]) || 0) + 1);
  const rest = [...tally].filter(([verdict]) => verdict !== COMPATIBLE).sort((a, b) => b[0] - a[0]).map(([verdict, count]) => `${count} ${run.verdicts[verdict].name}`);
  return { place, way: wayOf(view, row, column), said: [`${square.good} of ${square.total} compatible`, ...rest].join(", ") };
}

function axesInWords(view, rowName, columnName) {
  if (view.rowAxis === "source" && view.columnAxis === "destination") return `${rowName} → ${columnName}`;
  if (view.rowAxis === "destination" && view.columnAxis === "source") return `${columnName} → ${rowName}`;
  const worded = (axis, name) => (axis === "source" ? `from ${name}` : axis === "destination" ? `to ${name}` : name);
  return `${worded(view.rowAxis, rowName)}, ${worded(view.columnAxis, columnName)}`;
}
