// What differs between the interfaces of any two kernels. `harness/report/surface_tables.py` describes the tables.

const NOT_ASKED = -1;
const TURNED = { vanished: "appeared", appeared: "vanished", grew: "shrank" };

function drawSurfaces() {
  const { kernels } = run.surfaces;
  if (kernels.length < 2) return;
  const choose = (id, chosen) => {
    const select = element("select", { id, change: tell }, kernels.map((name, place) => element("option", { value: place }, name)));
    select.value = String(chosen);
    return select;
  };
  const before = choose("surface-before", 0);
  const after = choose("surface-after", kernels.length - 1);
  const found = element("div", { id: "surface-diff" });
  function tell() {
    found.replaceChildren(...surfaceDifference(Number(before.value), Number(after.value)));
  }
  byId("surfaces").replaceChildren(
    element("h3", {}, "Interfaces that differ"),
    element("div", { class: "picks" }, element("label", {}, "from", before), element("label", {}, "to", after)),
    found,
  );
  tell();
}

function surfaceDifference(before, after) {
  const { ranks, alike, interfaces, features, foretold, kernels } = run.surfaces;
  if (before === after) return [element("p", { class: "soft" }, "One kernel differs in nothing from itself.")];
  const backward = ranks[after] < ranks[before];
  const rows = interfaces.map((one) => interfaceRow(one, before, after, backward)).filter(Boolean);
  const breaking = rows.filter((row) => row.breaking);
  const changed = features.map(([userland, name, seen]) => [userland, name, seen[before], seen[after]]).filter(([, , had, has]) => had !== has && had !== "-" && has !== "-");
  return [
    element("p", { class: "soft" }, `${plural(rows.length, "interface")} ${rows.length === 1 ? "differs" : "differ"}, ${breaking.length} of them possible breakage. ${backward ? "The second kernel is the older one." : ""} ${alike[before] === alike[after] ? "" : "They were not probed quite alike."}`),
    foretoldOf(foretold, before, after, kernels),
    breaking.length ? surfaceTable("Interfaces that may break", breaking) : "",
    rows.length > breaking.length ? element("details", { class: "quiet" }, element("summary", {}, `${rows.length - breaking.length} that break nobody`), surfaceTable("Interfaces that differ", rows.filter((row) => !row.breaking))) : "",
    changed.length ? element("p", {}, element("span", { class: "soft" }, "criu check "), changed.map(([userland, name, , has]) => `${name} (${userland}): ${has === "1" ? "found" : "no longer found"}`).join(", ")) : "",
    run.surfaces.left_out.length ? element("p", { class: "soft" }, `For want of room left out: ${run.surfaces.left_out.join(", ")}.`) : "",
  ].filter((part) => part !== "" && part !== null);
}

function surfaceTable(title, rows) {
  const head = element("thead", {}, element("tr", {}, ["Interface", "What happened", "Before", "After", "Known"].map((column) => element("th", { scope: "col" }, column))));
  return element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": title }, element("table", { class: "facts" }, head, element("tbody", {}, rows.map((row) => row.made))));
}

function interfaceRow([id, what, known, findings, found, transitions], before, after, backward) {
  const [old, fresh] = [found[before], found[after]];
  if (old === fresh || old === NOT_ASKED || fresh === NOT_ASKED) return null;
  const [older, newer] = backward ? [fresh, old] : [old, fresh];
  const step = transitions.find(([from, to]) => from === older && to === newer);
  if (step === undefined) return null;
  const [, , kind, breaking, gained, lost] = step;
  const [came, went] = backward ? [lost, gained] : [gained, lost];
  const items = [came.length ? `+ ${came.join(", ")}` : "", went.length ? `− ${went.join(", ")}` : ""].filter(Boolean);
  const made = element(
    "tr",
    {},
    element("th", { scope: "row" }, element("code", {}, id), " ", element("span", { class: "soft" }, what)),
    element("td", {}, backward ? TURNED[kind] || kind : kind, breaking ? [" ", element("span", { class: "new" }, "possible breakage")] : null),
    element("td", {}, findings[old]),
    element("td", {}, findings[fresh], items.map((item) => element("div", { class: "soft wrap" }, item))),
    element("td", {}, known.join(", ")),
  );
  return { breaking: breaking === 1, made };
}

function foretoldOf(foretold, before, after, kernels) {
  const here = foretold.filter(([, , , moves]) => moves.some((_, at) => at % 2 === 0 && moves[at] === before && moves[at + 1] === after));
  if (here.length === 0) return null;
  return element("div", { class: "panel" }, element("p", {}, `Foretold by the surfaces alone of ${kernels[before]} → ${kernels[after]}:`), element("ul", {}, here.map(([breakage, userland, because]) => element("li", {}, element("b", {}, breakage), ` in ${userland}`, because.length ? element("span", { class: "soft" }, `, because ${because.join("; ")}`) : ""))));
}
