// All evidence of one cell.

const PHASE_COLOURS = { boot: 0, start: 1, baseline: 1, dump: 3, transfer: 4, restore: 2, check: 5, evidence: 0 };

function drawCell(cell, hrefOf) {
  const parts = partsOf(cell);
  const verdict = run.columns.verdict[cell];
  const judgement = judgementOf(cell);
  const cause = causeOf(cell);
  const attempts = attemptsOf(cell);
  const title = isBaseline(cell) ? [parts.source, element("span", { class: "arrow" }, " baseline, without CRIU")] : [parts.source, element("span", { class: "arrow" }, " → "), parts.destination];
  return [
    element("p", { class: "verdict" }, tile(verdict), ` ${run.verdicts[verdict].name}`, element("span", { class: "soft" }, ` · ${wayInWords(cell, judgement)}`)),
    element("h2", { id: "drawer-title" }, element("span", { class: "soft" }, `${parts.scenario} `), title),
    element("p", { class: "why" }, sentence(judgement.why)),
    knowledge(judgement),
    evidence(cell, cause, attempts),
    historyOf(cell),
    element("h3", {}, "Run it again"),
    copyable(`kmatrix repro ${shellQuoted(nameOf(cell))}`),
    judgement.settle ? [element("p", { class: "soft" }, "This run would tell why it fails:"), copyable(judgement.settle)] : null,
    cause && verdict > LAB_ERROR ? upstreamOf(cause, cell) : null,
    element("h3", {}, plural(attempts.length, "attempt")),
    attemptTable(attempts),
    element("h3", {}, "Controls"),
    controlsOf(cell, hrefOf),
    isBaseline(cell) ? null : [element("h3", {}, `${parts.scenario} between all kernels`), miniature(cell, hrefOf)],
    element("h3", {}, "Identities"),
    identities(cell, attempts[attempts.length - 1]),
  ];
}

function sentence(text) {
  return text ? text[0].toUpperCase() + text.slice(1) : text;
}

function wayInWords(cell, judgement) {
  if (isBaseline(cell)) return "control without a migration";
  if (isDiagonal(cell)) return "control on the diagonal: one kernel on both sides";
  return { forward: "forward, to a newer kernel", backward: "backward, to an older kernel", sideways: "sideways, two kernels of one version", same: "one kernel on both sides" }[judgement.direction];
}

function shellQuoted(text) {
  return `'${text.replace(/'/g, "'\\''")}'`;
}

function knowledge(judgement) {
  const entry = Object.hasOwn(run.known, judgement.known) ? run.known[judgement.known] : null;
  const rows = [];
  if (entry) {
    rows.push(["known as", [element("b", {}, judgement.known), ` ${entry.title}`]], ["cause", entry.cause]);
    if (entry.fixed) rows.push(["fixed in", entry.fixed]);
  }
  if (judgement.looksLike) rows.push(["looks like", `${judgement.looksLike}, in other versions than those it is known for`]);
  if (judgement.interface) rows.push(["interface", judgement.interface]);
  if (judgement.blame) rows.push(["who can mend it", judgement.blame]);
  if (judgement.remedy) rows.push(["what helps", judgement.remedy]);
  if (judgement.remedied) rows.push(["tried here", judgement.remedied]);
  if (entry) rows.push(["sources", entry.sources.join(", ")]);
  return rows.length ? element("dl", { class: "panel facts" }, rows.map(([name, value]) => [element("dt", {}, name), element("dd", {}, value)])) : null;
}

function evidence(cell, cause, attempts) {
  const error = errorOf(cell);
  if (!error) return null;
  const made = [element("h3", {}, `What ended it, in ${attempts[attempts.length - 1].phase}`), element("p", { class: "ended" }, element("code", {}, error))];
  if (cause === null) return made;
  if (cause.cells > 1 && cause.excerpts.length) made.push(element("p", { class: "soft" }, `From the logs of one of the ${cause.cells.toLocaleString("en")} cells that ended with this signature; this cell's own are below.`));
  return [...made, cause.excerpts.map(excerpt)];
}

function excerpt({ title, first, lines, marked }) {
  const rows = lines.map((line, place) => {
    const content = [element("span", { class: "line" }, first ? String(first + place) : ""), line || " "];
    return place === marked ? element("mark", { class: "row" }, content) : element("span", { class: "row" }, content);
  });
  return element("figure", { class: "log" }, element("figcaption", {}, title), element("pre", { tabindex: "0", "aria-label": `Excerpt of ${title}` }, rows));
}

/** The cell in earlier runs, oldest first. */
function historyOf(cell) {
  const strip = run.past.strips[run.past.column[cell]];
  if (!strip) return null;
  const marks = run.past.runs.map(({ name, began, fair }, place) => {
    const verdict = strip[place] === "." ? null : strip.charCodeAt(place) - 97;
    const told = `${name}, ${began}: ${verdict === null ? "not run" : run.verdicts[verdict].name}${fair === false ? ", under other conditions" : ""}`;
    const mark = tile(verdict);
    mark.title = told;
    if (fair === false) mark.classList.add("unlike");
    return element("li", {}, mark, element("span", { class: "heard" }, told));
  });
  return [element("h3", {}, "In earlier runs ", element("span", { class: "soft" }, "oldest first")), element("ol", { class: "strip" }, marks)];
}

/** A command with a button; where the clipboard is out of reach, the command is selected instead. */
function copyable(command) {
  const code = element("code", { tabindex: "0" }, command);
  const button = element("button", { type: "button", class: "button" }, "Copy");
  button.addEventListener("click", async () => {
    button.textContent = (await copied(command, code)) ? "Copied" : "Selected";
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  });
  return element("div", { class: "copy" }, code, button);
}

async function copied(command, code) {
  try {
    await navigator.clipboard.writeText(command);
    return true;
  } catch {
    getSelection().selectAllChildren(code);
    return document.execCommand("copy");
  }
}

function upstreamOf(cause, cell) {
  if (cause.draft) return element("p", {}, element("a", { href: cause.draft }, "The draft for upstream of its cause"));
  return [element("p", { class: "soft" }, "A draft for the people who should hear of it:"), copyable(`kmatrix upstream ${shellQuoted(nameOf(cell))}`)];
}

function attemptTable(attempts) {
  const sums = attempts.map((attempt) => attempt.phases.filter(counts).reduce((sum, phase) => sum + phase.seconds, 0));
  const longest = Math.max(...sums, 0.01);
  return element(
    "table",
    { class: "attempts" },
    element("tbody", {}, attempts.map((attempt, place) => element("tr", {}, element("th", { scope: "row" }, `${attempt.number}. ${attempt.outcome}`), element("td", {}, attemptOf(attempt, sums[place], longest))))),
  );
}

const counts = (phase) => phase.name !== "guest"; // part of the others

function attemptOf(attempt, sum, longest) {
  const guest = attempt.phases.find((phase) => phase.name === "guest");
  const size = attempt.kibi === null ? "" : `, images of ${(attempt.kibi / 1024).toLocaleString("en", { maximumFractionDigits: 1 })} MiB`;
  return [
    element("div", {}, `${attempt.outcome === "pass" ? "whole" : `ended in ${attempt.phase}`}, ${sum.toFixed(2)} s${guest ? `, of them ${guest.seconds.toFixed(2)} s in the guest` : ""}, isolation ${attempt.isolation}${size}`),
    bar(attempt.phases.filter(counts), longest),
    element("ul", { class: "phases" }, attempt.phases.filter(counts).map((phase) => element("li", {}, element("i", { class: `t${colourOf(phase)}`, "aria-hidden": "true" }), `${phase.name} ${phase.seconds.toFixed(2)} s`))),
    element("div", {}, attempt.logs.map((log) => [log.href ? element("a", { href: log.href }, `${log.name} log`) : `${log.name} (no link)`, " "])),
  ];
}

function colourOf(phase) {
  return Object.hasOwn(PHASE_COLOURS, phase.name) ? PHASE_COLOURS[phase.name] : 6;
}

function bar(phases, longest) {
  let x = 0;
  const parts = phases.map((phase) => {
    const width = (phase.seconds / longest) * 1000;
    const made = svg("rect", { class: `t${colourOf(phase)}`, x: x.toFixed(1), y: 0, width: width.toFixed(1), height: 10 });
    x += width;
    return made;
  });
  return svg("svg", { class: "times", viewBox: "0 0 1000 10", preserveAspectRatio: "none", "aria-hidden": "true" }, parts);
}

/** The cells that tell whose fault it is. */
function controlsOf(cell, hrefOf) {
  const { userland, mode, scenario, source, destination } = partsOf(cell);
  const move = isBaseline(cell) ? run.modes.find((name) => name !== "baseline") || mode : mode;
  const wanted = new Map();
  for (const kernel of new Set([source, destination])) {
    wanted.set(`${userland}/baseline/${scenario}/${kernel}`, `baseline on ${kernel}`);
    wanted.set(`${userland}/${move}/${scenario}/${kernel}→${kernel}`, `diagonal of ${kernel}`);
  }
  wanted.delete(nameOf(cell));
  return element(
    "ul",
    { class: "controls" },
    [...wanted].map(([name, title]) => {
      const control = cellNamed(name);
      const look = control < 0 ? [tile(null), `${title}: not run`] : [tile(run.columns.verdict[control]), title];
      return element("li", {}, control < 0 ? element("span", { class: "chip" }, look) : element("a", { class: "chip", href: hrefOf(control), title: run.verdicts[run.columns.verdict[control]].name }, look));
    }),
  );
}

/** The same scenario from every kernel to every other. */
function miniature(cell, hrefOf) {
  const { userland, mode, scenario } = run.columns;
  const found = new Map();
  const present = new Set();
  for (let other = 0; other < run.size; other += 1) {
    if (userland[other] !== userland[cell] || mode[other] !== mode[cell] || scenario[other] !== scenario[cell]) continue;
    found.set(`${run.columns.source[other]} ${run.columns.destination[other]}`, other);
    present.add(run.columns.source[other]).add(run.columns.destination[other]);
  }
  const kernels = [...present].sort((a, b) => a - b);
  const square = (source, destination) => {
    const other = found.get(`${source} ${destination}`);
    const way = `${run.kernels[source].name} → ${run.kernels[destination].name}`;
    if (other === undefined) return element("td", {}, element("span", { class: "tile v-none", title: `${way}: not run` }, "·"));
    const told = `${way}: ${run.verdicts[run.columns.verdict[other]].name}`;
    return element("td", {}, element("a", { href: hrefOf(other), "aria-current": other === cell ? "true" : null, "aria-label": told, title: told }, tile(run.columns.verdict[other])));
  };
  const head = element("tr", {}, element("td", {}, ""), kernels.map((kernel, place) => element("th", { scope: "col", title: run.kernels[kernel].name }, String(place + 1))));
  const rows = kernels.map((source, place) => element("tr", {}, element("th", { scope: "row" }, `${run.kernels[source].name} `, element("span", { class: "soft" }, String(place + 1))), kernels.map((destination) => square(source, destination))));
  return element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "The scenario between all kernels" }, element("table", { class: "mini" }, element("thead", {}, head), element("tbody", {}, rows)));
}

function identities(cell, attempt) {
  const rows = [["cell", nameOf(cell)]];
  const sides = isBaseline(cell) ? [["kernel", run.columns.source[cell]]] : [["source", run.columns.source[cell]], ["destination", run.columns.destination[cell]]];
  for (const [side, place] of sides) {
    const kernel = run.kernels[place];
    rows.push([side, [`${kernel.name}, ${kernel.release}${kernel.package ? `, package ${kernel.package}` : ""}`, element("br"), element("code", {}, `sha256 ${kernel.sha256}`)]]);
  }
  if (run.columns.change[cell]) rows.push(["since the other run", run.changes[run.columns.change[cell] - 1]]);
  const userland = run.userlands[run.columns.userland[cell]];
  const image = userland.sha256 ? [element("br"), element("code", {}, `image sha256 ${userland.sha256}`)] : [];
  rows.push(["userland", [`${userland.name}, CRIU ${attempt.criu || "unknown"}`, image]], ["machine", attempt.machine]);
  return element("dl", { class: "facts" }, rows.map(([name, value]) => [element("dt", {}, name), element("dd", {}, value)]));
}
