// The grid: one tab stop, arrows walk it. Long ones keep only the rows in sight in the page.

const WINDOW_FROM = 60; // rows; fewer are all drawn
const MARGIN = 12; // rows drawn above and below what is in sight
const ROW = 46; // pixels of a row, with its gap; measured again once one is drawn

const matrix = {
  view: null,
  focus: { row: 0, column: 0 }, // places in `view.rows` and `columnsOf(view)`
  drawn: { from: 0, to: 0 },
  rowHeight: ROW,
  open: () => {},
};

function columnsOf(view) {
  return view.baseline ? [-1, ...view.columns] : view.columns;
}

function drawMatrix(view) {
  matrix.view = view;
  const place = byId("grid");
  if (view.rows.length === 0) {
    place.replaceChildren(element("p", {}, "No cell matches."));
    return;
  }
  matrix.focus.row = Math.min(matrix.focus.row, view.rows.length - 1);
  matrix.focus.column = Math.min(matrix.focus.column, columnsOf(view).length - 1);
  const tall = view.rows.length > WINDOW_FROM;
  const many = columnsOf(view).length > 12;
  const table = element(
    "table",
    { class: `matrix ${many ? "many" : columnsOf(view).length < 8 ? "few" : ""}`, role: "grid", id: "matrix-grid", "aria-labelledby": "matrix-title", "aria-readonly": "true", "aria-rowcount": view.rows.length + 1, "aria-colcount": columnsOf(view).length + 1 },
    headOf(view),
    element("tbody", {}),
  );
  const frame = element("div", { class: `frame${tall ? " tall" : ""}`, scroll: tall ? () => drawRows() : null }, table);
  place.replaceChildren(element("div", { class: "gridbox" }, waysOf(view), frame), element("p", { class: "readout", id: "readout", "aria-hidden": "true" }));
  matrix.drawn = { from: 0, to: 0 };
  drawRows(true);
}

function waysOf(view) {
  const ways = view.rowAxis === "source" && view.columnAxis === "destination";
  const turned = view.rowAxis === "destination" && view.columnAxis === "source";
  if ((!ways && !turned) || view.columns.length < 2) return [];
  const [above, below] = ways ? ["forward, to a newer kernel", "backward, to an older kernel"] : ["backward, to an older kernel", "forward, to a newer kernel"];
  return [element("p", { class: "ways" }, element("span", {}, `below the diagonal: ${below} ↙`), element("span", {}, `above the diagonal: ${above} ↗`))];
}

function headOf(view) {
  const axis = AXES[view.columnAxis];
  const cells = columnsOf(view).map((column, place) =>
    element(
      "th",
      { scope: "col", role: "columnheader", class: column < 0 ? "base" : null, "aria-colindex": place + 2, title: column < 0 ? "the workload without CRIU" : axis.names[column] },
      element("b", {}, column < 0 ? "baseline" : broken(axis.names[column])),
      column >= 0 && axis.under && axis.under[column] !== axis.names[column] ? element("span", {}, axis.under[column]) : null,
    ),
  );
  const corner = element("td", { class: "corner", role: "columnheader", "aria-colindex": 1 }, `${AXES[view.rowAxis].title} ↓  ${axis.title} →`);
  return element("thead", { role: "rowgroup" }, element("tr", { role: "row", "aria-rowindex": 1 }, corner, cells));
}

/** A label that may break after its hyphens. */
function broken(label) {
  return label.split(/(?<=[-_])/).flatMap((part, place) => (place ? [element("wbr"), part] : [part]));
}

function drawRows(always) {
  const { view } = matrix;
  const frame = byId("grid").querySelector(".frame");
  const body = frame.querySelector("tbody");
  let from = 0;
  let to = view.rows.length;
  if (frame.classList.contains("tall")) {
    const first = Math.floor(frame.scrollTop / matrix.rowHeight);
    from = Math.max(0, first - MARGIN);
    to = Math.min(view.rows.length, first + Math.ceil((frame.clientHeight || 800) / matrix.rowHeight) + MARGIN);
    if (!always && from >= matrix.drawn.from && to <= matrix.drawn.to) return;
  }
  const held = body.contains(document.activeElement);
  matrix.drawn = { from, to };
  body.replaceChildren(spacer(from), ...view.rows.slice(from, to).map((row, place) => rowOf(view, row, from + place)), spacer(view.rows.length - to));
  const drawn = body.querySelector("tr[data-row]");
  if (always && drawn && frame.classList.contains("tall") && drawn.offsetHeight) matrix.rowHeight = drawn.offsetHeight + 3;
  if (held) focusSquare(false);
}

function spacer(rows) {
  const row = element("tr", { class: "spacer", "aria-hidden": "true" });
  row.style.height = `${rows * matrix.rowHeight}px`;
  row.hidden = rows === 0;
  return row;
}

function rowOf(view, row, place) {
  const axis = AXES[view.rowAxis];
  const head = element("th", { scope: "row", role: "rowheader", "aria-colindex": 1 }, element("b", {}, axis.names[row]), axis.under && axis.under[row] !== axis.names[row] ? axis.under[row] : null);
  const squares = columnsOf(view).map((column, at) => squareOf(view, row, column, place, at));
  return element("tr", { role: "row", "data-row": place, "aria-rowindex": place + 2 }, head, squares);
}

// Made by hand and not by `element`: there are hundreds, and they must be there before an eye blinks.
function squareOf(view, row, column, rowPlace, columnPlace) {
  const square = view.at(row, column);
  const way = wayOf(view, row, column);
  const look = lookOf(square);
  const made = document.createElement("td");
  made.className = `square ${look.style}${way.startsWith("diagonal") ? " diagonal" : ""}${column < 0 ? " base" : ""}`;
  made.tabIndex = rowPlace === matrix.focus.row && columnPlace === matrix.focus.column ? 0 : -1;
  made.setAttribute("role", "gridcell");
  made.setAttribute("data-at", columnPlace);
  made.setAttribute("aria-colindex", columnPlace + 2);
  made.setAttribute("aria-label", `${whereIs(view, row, column)}: ${way ? `${way}: ` : ""}${heldBy(view, row, column)}`);
  const sign = document.createElement("b");
  sign.textContent = look.sign;
  made.append(sign);
  if (square !== null) {
    made.append(`${square.good}/${square.total}`);
    made.style.setProperty("--share", square.good / square.total);
  }
  return made;
}

/** The square that has the grid's tab stop, drawn if it was out of sight. */
function focusedSquare() {
  const row = byId("grid").querySelector(`tr[data-row="${matrix.focus.row}"]`);
  return row && row.querySelector(`[data-at="${matrix.focus.column}"]`);
}

function focusSquare(scroll) {
  let square = focusedSquare();
  if (square === null) {
    const frame = byId("grid").querySelector(".frame");
    frame.scrollTop = Math.max(0, matrix.focus.row * matrix.rowHeight - frame.clientHeight / 2);
    drawRows(true);
    square = focusedSquare();
  }
  for (const other of byId("grid").querySelectorAll('td[tabindex="0"]')) other.tabIndex = -1;
  square.tabIndex = 0;
  square.focus({ preventScroll: scroll === false });
}

function placeOf(target) {
  const square = target instanceof Element ? target.closest("td[data-at]") : null;
  return square && { row: Number(square.parentElement.dataset.row), column: Number(square.dataset.at) };
}

function tellSquare(place) {
  const { view } = matrix;
  const readout = byId("readout");
  for (const head of byId("grid").querySelectorAll("th.here")) head.classList.remove("here");
  if (place === null) return readout.replaceChildren();
  const at = [view, view.rows[place.row], columnsOf(view)[place.column]];
  const way = wayOf(...at);
  readout.replaceChildren(element("b", {}, whereIs(...at)), way ? ` · ${way}` : "", ` · ${heldBy(...at, true)}`);
  const row = byId("grid").querySelector(`tr[data-row="${place.row}"] th`);
  const head = byId("grid").querySelector(`th[aria-colindex="${place.column + 2}"]`);
  for (const one of [row, head]) if (one) one.classList.add("here");
}

function openSquare(place) {
  const { view } = matrix;
  const [row, column] = [view.rows[place.row], columnsOf(view)[place.column]];
  const square = view.at(row, column);
  if (square === null) return;
  matrix.focus = place;
  matrix.open(square.total === 1 ? view.cellsAt(row, column)[0] : null, { row: AXES[view.rowAxis].names[row], column: column < 0 ? BASELINE_COLUMN : AXES[view.columnAxis].names[column] });
}

/** The square that an address names, or null. */
function squareAt(view, at) {
  const row = AXES[view.rowAxis].names.indexOf(at.row);
  const column = at.column === BASELINE_COLUMN ? -1 : AXES[view.columnAxis].names.indexOf(at.column);
  if (row < 0 || (column < 0 && at.column !== BASELINE_COLUMN)) return null;
  return { row, column, square: view.at(row, column) };
}
