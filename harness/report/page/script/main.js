// The page: one state, drawn anew whenever the address changes.

const page = { state: null, query: null, cells: [], drawnFor: null };

function go(changes, { replace } = {}) {
  const hash = writeState({ ...page.state, ...changes });
  if (replace) history.replaceState(null, "", hash);
  else if (hash !== (location.hash || "#")) history.pushState(null, "", hash);
  show();
}

function show() {
  const { state, told } = readState(location.hash);
  const key = JSON.stringify([state.q, state.rows, state.cols]);
  page.state = state;
  if (page.drawnFor !== key) {
    page.drawnFor = key;
    page.query = compile(state.q, KINDS);
    page.cells = [];
    for (let cell = 0; cell < run.size; cell += 1) if (page.query.accepts(cell)) page.cells.push(cell);
    drawMatrix(pivot(page.cells, state.rows, state.cols));
    tellCauses(page.cells);
  }
  tellFilters(state, page.query, [...told, ...page.query.told], page.cells.length);
  showSheet(state);
}

function showSheet(state) {
  const hrefOf = (cell) => writeState({ ...state, cell: nameOf(cell) });
  const under = state.at || state.list;
  if (state.cell !== null) {
    const cell = cellNamed(state.cell);
    const content = cell < 0 ? [element("h2", { id: "drawer-title" }, "No such cell"), element("p", {}, `This run has no cell ${state.cell}.`)] : drawCell(cell, hrefOf);
    return showDrawer(cell < 0 ? "" : `${partsOf(cell).userland} / ${partsOf(cell).mode}`, content, under);
  }
  if (state.at !== null) return showSquare(state, hrefOf);
  if (state.list) return showDrawer("", [element("h2", { id: "drawer-title" }, plural(page.cells.length, "cell")), state.q ? element("p", {}, element("code", {}, state.q)) : null, drawListing(page.cells, hrefOf)], false);
  const was = byId("drawer").open;
  hideDrawer();
  if (was && focusedSquare()) focusSquare(false);
}

function showSquare(state, hrefOf) {
  const { view } = matrix;
  const found = squareAt(view, state.at);
  if (found === null || found.square === null) {
    return showDrawer("", [element("h2", { id: "drawer-title" }, "No such square"), element("p", {}, "No cell that matches the query lies there.")], false);
  }
  const at = [view, found.row, found.column];
  const told = [wayOf(...at), heldBy(...at, true)].filter(Boolean).join(" · ");
  const head = [element("h2", { id: "drawer-title" }, whereIs(...at)), element("p", { class: "soft" }, told)];
  return showDrawer("", [...head, drawListing(view.cellsAt(found.row, found.column), hrefOf)], false);
}

function drawTools() {
  const help = byId("help");
  for (const button of help.querySelectorAll("[data-close]")) button.addEventListener("click", () => help.close());
  byId("kinds").replaceChildren(...Object.values(KINDS).filter((kind) => kind.says && !kind.alias).flatMap((kind) => [element("dt", {}, element("code", {}, `${kind.name}:`)), element("dd", {}, kind.says)]));
  byId("tools").replaceChildren(themeButton(), element("button", { type: "button", class: "button plain", "aria-label": "Keys and query", title: "Keys and query (?)", click: () => help.showModal() }, "?"));
}

function listenToGrid() {
  const grid = byId("grid");
  grid.addEventListener("click", (event) => {
    const place = placeOf(event.target);
    if (place) openSquare(place);
  });
  grid.addEventListener("pointerover", (event) => byId("readout") && tellSquare(placeOf(event.target)));
  grid.addEventListener("pointerleave", () => byId("readout") && tellSquare(grid.contains(document.activeElement) ? placeOf(document.activeElement) : null));
  grid.addEventListener("focusin", (event) => {
    const place = placeOf(event.target);
    if (place === null) return;
    matrix.focus = place;
    tellSquare(place);
  });
}

function start() {
  filters.changed = (q) => go({ q: q.trim(), at: null, list: false, cell: null }, { replace: true });
  filters.pivoted = (key, axis) => {
    const other = key === "rows" ? "cols" : "rows";
    const swapped = page.state[other] === axis ? { [other]: page.state[key] } : {};
    go({ [key]: axis, ...swapped, at: null });
  };
  filters.listed = (q) => go({ list: true, at: null, cell: null, ...(q === undefined ? {} : { q }) });
  matrix.open = (only, at) => go(only === null ? { at } : { cell: nameOf(only) });
  drawer.back = () => go(page.state.cell !== null && (page.state.at || page.state.list) ? { cell: null } : { cell: null, at: null, list: false });
  drawer.shut = () => go({ cell: null, at: null, list: false });
  drawFilters();
  drawCauses();
  drawTools();
  drawSurfaces();
  listenToGrid();
  listenToKeys();
  listenToDrawer();
  for (const link of document.querySelectorAll(".bar nav a, .skip")) {
    link.addEventListener("click", (event) => {
      event.preventDefault(); // the address holds the view, not the section
      const section = byId(link.getAttribute("href").slice(1));
      section.scrollIntoView();
      section.tabIndex = -1;
      section.focus({ preventScroll: true });
    });
  }
  addEventListener("hashchange", show);
  addEventListener("popstate", show);
  show();
  performance.mark("kmatrix-ready");
}

start();
