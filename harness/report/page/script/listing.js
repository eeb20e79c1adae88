// Cells as a list, the worst first: those of a square, or all that match.

const PAGE = 200;

function drawListing(cells, hrefOf) {
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
    extend(section, list, members, hrefOf);
    return section;
  });
}

function extend(section, list, cells, hrefOf) {
  const from = list.childElementCount;
  list.append(...cells.slice(from, from + PAGE).map((cell) => element("li", {}, entryOf(cell, hrefOf))));
  const left = cells.length - list.childElementCount;
  if (left > 0) {
    const more = element("button", { type: "button", class: "button", click: () => { more.remove(); extend(section, list, cells, hrefOf); } }, `${Math.min(PAGE, left)} more of ${left.toLocaleString("en")}`);
    section.append(more);
  }
}

function entryOf(cell, hrefOf) {
  const parts = partsOf(cell);
  const error = errorOf(cell);
  const where = isBaseline(cell) ? `${parts.source}, baseline` : `${parts.source} → ${parts.destination}`;
  return element(
    "a",
    { href: hrefOf(cell) },
    tile(run.columns.verdict[cell]),
    element("span", { class: "name" }, parts.scenario, " ", element("span", { class: "soft" }, `${where} · ${parts.userland}${isBaseline(cell) ? "" : ` · ${parts.mode}`}`)),
    element("span", { class: "said" }, error ? element("code", {}, error) : ""),
  );
}
