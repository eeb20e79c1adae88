// The query box, and the chips and lists that write into it: there is one filter, and its text is the query.

const filters = { changed: () => {}, pivoted: () => {}, listed: () => {} };

function drawFilters() {
  const input = element("input", { type: "search", id: "query", spellcheck: "false", autocomplete: "off", placeholder: "verdict:breakage dst:>=6.16 scenario:tcp*", "aria-label": "Query", "aria-describedby": "told" });
  let waiting = 0;
  input.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => filters.changed(input.value), 60);
  });
  input.addEventListener("keydown", (event) => {
    if (event.key === "Enter") {
      clearTimeout(waiting);
      filters.changed(input.value);
    } else if (event.key === "Escape") {
      event.preventDefault();
      if (input.value) filters.changed((input.value = ""));
      else if (focusedSquare()) focusSquare();
    }
  });
  byId("filters").replaceChildren(
    element("div", { class: "query", role: "search" }, input),
    element("div", { class: "words", id: "words" }),
    element("p", { class: "told", id: "told", role: "status" }),
    element("div", { class: "picks", id: "picks" }, picks()),
    element("p", { class: "matched", id: "matched" }),
  );
  drawLegend();
}

function picks() {
  const tags = [...new Set(run.scenarios.flatMap((scenario) => scenario.tags))].sort();
  const made = [
    pick("userland", run.userlands.map((one) => one.name)),
    pick("mode", run.modes),
    pick("scenario", run.scenarios.map((one) => one.name)),
    tags.length ? pick("tag", tags) : null,
  ];
  const spans = Object.entries(AXES).map(([key, axis]) => [key, axis.title]);
  return [...made, spanning("rows", spans), spanning("cols", spans)];
}

function pick(kind, names) {
  const options = [element("option", { value: "" }, "all"), ...names.map((name) => element("option", { value: name }, name))];
  const select = element("select", { id: `pick-${kind}`, change: () => filters.changed(withKind(byId("query").value, kind, select.value)) }, options);
  select.disabled = names.length < 2;
  return element("label", {}, kind, select);
}

function spanning(key, spans) {
  const select = element("select", { id: `span-${key}`, change: () => filters.pivoted(key, select.value) }, spans.map(([value, title]) => element("option", { value }, title)));
  return element("label", {}, key === "rows" ? "rows" : "columns", select);
}

/** A query whose words of a kind are replaced by one, or taken away. */
function withKind(text, kind, value) {
  const rest = wordsOf(text).filter((word) => parseWord(word).kind !== kind);
  return [...rest, ...(value ? [`${kind}:${quoted(value)}`] : [])].join(" ");
}

/** A query with a value of a kind put in, or taken out if it was there. */
function toggled(text, kind, value) {
  const words = wordsOf(text);
  const same = (word) => {
    const parsed = parseWord(word);
    return parsed.kind === kind && !parsed.negative && parsed.values.length === 1 && parsed.values[0].toLowerCase() === value.toLowerCase();
  };
  const rest = words.filter((word) => !same(word));
  return (rest.length < words.length ? rest : [...words, `${kind}:${quoted(value)}`]).join(" ");
}

function drawLegend() {
  for (const item of byId("legend").children) {
    const verdict = item.dataset.verdict;
    const button = element("button", { type: "button", class: "chip", "aria-pressed": "false", "data-verdict": verdict, title: item.title, click: () => filters.changed(toggled(byId("query").value, "verdict", verdict)) });
    button.append(...item.childNodes);
    item.removeAttribute("title");
    item.className = "bare";
    item.replaceChildren(button);
  }
}

/** Make everything say what the query says. */
function tellFilters(state, query, told, matching) {
  const input = byId("query");
  if (input.value.trim() !== state.q.trim()) input.value = state.q;
  const chosen = (kind) => query.words.filter((word) => word.kind === kind && !word.negative).flatMap((word) => word.values);
  for (const button of byId("legend").querySelectorAll("button")) {
    const on = chosen("verdict").some((value) => wordMatcher(value)(button.dataset.verdict));
    button.setAttribute("aria-pressed", String(on));
  }
  for (const kind of ["userland", "mode", "scenario", "tag"]) {
    const select = byId(`pick-${kind}`);
    if (select) select.value = chosen(kind).length === 1 ? chosen(kind)[0] : "";
    if (select && select.selectedIndex < 0) select.value = "";
  }
  byId("span-rows").value = state.rows;
  byId("span-cols").value = state.cols;
  byId("words").replaceChildren(...query.words.map((word, place) => wordChip(word, place, query.words)));
  byId("told").textContent = told.join(" ");
  const all = matching === run.size;
  byId("matched").replaceChildren(
    element("span", { role: "status" }, all ? `All ${plural(run.size, "cell")} that have a result.` : `${matching.toLocaleString("en")} of ${plural(run.size, "cell")} match.`),
    matching ? element("button", { type: "button", class: "button", id: "list", click: () => filters.listed() }, "List them") : "",
    state.q ? element("button", { type: "button", class: "button", click: () => filters.changed("") }, "Clear") : "",
  );
}

function wordChip(word, place, words) {
  const rest = words.filter((_, at) => at !== place).map((one) => one.word).join(" ");
  return element("button", { type: "button", class: "chip word", "aria-label": `Remove ${word.word}`, click: () => filters.changed(rest) }, word.word, element("span", { "aria-hidden": "true" }, "×"));
}

/** Causes that the matching cells have, with how many of them. */
function tellCauses(cells) {
  const counts = new Map();
  for (const cell of cells) if (run.columns.cause[cell]) counts.set(run.columns.cause[cell], (counts.get(run.columns.cause[cell]) || 0) + 1);
  const numbers = new Map(run.causes.map((cause, place) => [cause.id, place + 1]));
  for (const row of document.querySelectorAll("tr[data-cause]")) {
    const count = counts.get(numbers.get(row.dataset.cause)) || 0;
    row.hidden = count === 0;
    const button = row.querySelector(".count");
    button.textContent = count.toLocaleString("en");
    button.setAttribute("aria-label", `${count} cells: cause:${row.dataset.cause}`);
  }
}

/** The numbers of cells in the tables become buttons that list them. */
function drawCauses() {
  for (const row of document.querySelectorAll("tr[data-cause], tr[data-change]")) {
    const { cause, change, of } = row.dataset;
    if (change === "disappeared") continue; // this run does not have them
    const words = [change ? `change:${quoted(change)}` : "", cause || of ? `cause:${cause || of}` : ""].filter(Boolean);
    const count = row.querySelector(".count");
    const button = element("button", { type: "button", class: "count", "aria-label": `${count.textContent} cells: ${words.join(" ")}`, click: () => filters.listed(words.join(" ")) }, count.textContent);
    count.replaceWith(button);
  }
}
