// Cells as a list, the worst first: those of a square, or all that match.

const PAGE = 200;

function drawListing(cells, hrefOf) {
  const alike = (column) => cells.every((cell) => column[cell] === column[cells[0]]);
  const { source, destination, userland, mode } = run.columns;
  const shared = { kernels: alike(source) && alike(destination) && alike(mode), userland: alike(userland), mode: alike(mode) };
  const groups = new Map();
  for (const cell of cells) {
    const verdict = run.columns.verdict[cell];
    if (!groups.has(verdict)) groups.set(verdict, []);
    groups.get(verdict).push(cell);
  }
  const verdicts = [...groups.keys()].sort((a, b) => b - a);
  return verdicts.map((verdict) => {
    const members = groups.get(verdict);
    const list = element("ul", { class: "list cells" });
    const section = element("section", {}, element("h3", {}, tile(verdict), ` ${run.verdicts[verdict].name} `, element("span", { class: "soft" }, `${members.length.toLocaleString("en")} · ${run.verdicts[verdict].means}`)), list);
    extend(section, list, members, (cell) => entryOf(cell, hrefOf, shared));
    return section;
  });
}

function extend(section, list, cells, entryFor) {
  const from = list.childElementCount;
  list.append(...cells.slice(from, from + PAGE).map((cell) => element("li", {}, entryFor(cell))));
  const left = cells.length - list.childElementCount;
  if (left > 0) {
    const more = element("button", { type: "button", class: "button", click: () => { more.remove(); extend(section, list, cells, entryFor); } }, `${Math.min(PAGE, left)} more of ${left.toLocaleString("en")}`);
    section.append(more);
  }
}

/** A cell's line; what all of the list have in common is not said again. */
function entryOf(cell, hrefOf, shared) {
  const parts = partsOf(cell);
  const error = errorOf(cell);
  const where = isBaseline(cell) ? `${parts.source}, baseline` : `${parts.source} → ${parts.destination}`;
  const told = [shared.kernels ? "" : where, shared.userland ? "" : parts.userland, shared.mode || isBaseline(cell) ? "" : parts.mode].filter(Boolean).join(" · ");
  return element(
    "a",
    { href: hrefOf(cell) },
    tile(run.columns.verdict[cell]),
    element("span", { class: "name" }, parts.scenario, " ", element("span", { class: "soft" }, told)),
    element("span", { class: "said" }, error ? element("code", {}, error) : ""),
  );
}
