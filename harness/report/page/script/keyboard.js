// Keys: those of a grid after the ARIA Authoring Practices, `/` for the query, `?` for help.

const STEPS = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0], PageUp: [-10, 0], PageDown: [10, 0] };

function walk(event) {
  const { view, focus } = matrix;
  const place = placeOf(event.target);
  if (place === null || event.altKey || event.metaKey) return;
  const last = { row: view.rows.length - 1, column: columnsOf(view).length - 1 };
  let { row, column } = place;
  if (STEPS[event.key] && !event.ctrlKey) {
    row = Math.min(last.row, Math.max(0, row + STEPS[event.key][0]));
    column = Math.min(last.column, Math.max(0, column + STEPS[event.key][1]));
  } else if (event.key === "Home") [row, column] = event.ctrlKey ? [0, 0] : [row, 0];
  else if (event.key === "End") [row, column] = event.ctrlKey ? [last.row, last.column] : [row, last.column];
  else if (event.key === "Enter" || event.key === " ") {
    event.preventDefault();
    return openSquare(place);
  } else return;
  event.preventDefault();
  focus.row = row;
  focus.column = column;
  focusSquare();
}

function isTyping(target) {
  return target instanceof Element && target.closest("input, textarea, select") !== null;
}

function listenToKeys() {
  byId("grid").addEventListener("keydown", walk);
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || isTyping(event.target)) return;
    if (document.querySelector("dialog[open]")) return;
    if (event.key === "/") {
      event.preventDefault();
      byId("query").focus();
      byId("query").select();
    } else if (event.key === "?") {
      event.preventDefault();
      byId("help").showModal();
    }
  });
}
