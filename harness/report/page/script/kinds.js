// The kinds of words that a query knows: which cells each selects.

/** A kind whose values are names in a list, of which a column holds the places. */
function listKind(name, says, names, column, match) {
  return {
    name,
    says,
    holds: (mask, cell) => mask[column[cell]] === 1,
    select(value) {
      const accepts = (match || matcher)(value);
      const mask = Uint8Array.from(names, (one) => (accepts(one) ? 1 : 0));
      return mask.includes(1) ? { bound: false, mask } : `No ${name} here is “${value}”.${suggestion(names)}`;
    },
  };
}

function suggestion(names) {
  const listed = [...new Set(names)].filter((name) => name !== "");
  return listed.length > 0 && listed.length <= 14 ? ` There are: ${listed.join(", ")}.` : "";
}

function kernelKind(name, says, column) {
  return {
    name,
    says,
    holds: (mask, cell) => mask[column[cell]] === 1,
    select(value) {
      const found = kernelMatcher(value);
      if (!found) return `“${value}” is no comparison with a version such as >=6.16.`;
      const mask = Uint8Array.from(run.kernels, (kernel) => (found.accepts(kernel) ? 1 : 0));
      if (!found.bound && !mask.includes(1)) return `No ${name} kernel here is “${value}”.${suggestion(run.kernels.map((kernel) => kernel.name))}`;
      return { bound: found.bound, mask };
    },
  };
}

/** A kind whose values are found in what is judged of a cell. */
function judgedKind(name, says, textOf, words) {
  const texts = run.judgements.map(textOf);
  return listKind(name, says, texts, run.columns.judgement, words);
}

const contains = (value) => (name) => name.toLowerCase().includes(value.toLowerCase());

const KINDS = (() => {
  const { verdict, scenario, userland, mode, source, destination, cause, change } = run.columns;
  const phase = Uint8Array.from({ length: run.size }, (_, cell) => lastPhase(cell));
  const sort = Uint8Array.from({ length: run.size }, (_, cell) => (isBaseline(cell) ? 2 : isDiagonal(cell) ? 1 : 0));
  const tags = run.scenarios.map((one) => one.tags);
  const known = (value) => (id) => {
    if (/^(yes|known)$/i.test(value)) return id !== "";
    if (/^(no|new)$/i.test(value)) return id === "";
    return id !== "" && matcher(value)(id);
  };
  const kinds = [
    listKind("verdict", "what it means; a word of it will do: breakage, broken", run.verdicts.map((one) => one.name), verdict, wordMatcher),
    kernelKind("src", "source kernel: a label, 6.1, or bounds such as >=6.1 <6.13", source),
    kernelKind("dst", "destination kernel, likewise", destination),
    listKind("scenario", "the workload: tcp*", run.scenarios.map((one) => one.name), scenario),
    tagKind(tags, scenario),
    listKind("userland", "the guest's distribution and CRIU", run.userlands.map((one) => one.name), userland),
    listKind("mode", "how the checkpoint travels, or baseline", run.modes, mode),
    listKind("is", "move, diagonal or baseline", ["move", "diagonal", "baseline"], sort),
    judgedKind("direction", "forward, backward, sideways or same", (one) => run.directions[one[1]]),
    listKind("phase", "where it ended: dump, restore, check", run.phases, phase),
    listKind("cause", "a signature, by its short name", ["", ...run.causes.map((one) => one.id)], cause),
    knownKind(cause, known),
    changeKind(change),
    judgedKind("blame", "who can mend it: kernel, criu, userland", (one) => one[2]),
    judgedKind("interface", "what the kernel interface's name holds", (one) => one[5], contains),
    listKind("error", "what the error holds", ["", ...run.causes.map((one) => `${one.error}\n${one.signature}`)], cause, contains),
    textKind(),
  ];
  const named = Object.fromEntries(kinds.map((kind) => [kind.name, kind]));
  return { ...named, source: { ...named.src, alias: true }, destination: { ...named.dst, alias: true } };
})();

function tagKind(tags, column) {
  return {
    ...listKind("tag", "a scenario's tag: network, container", tags, column),
    select(value) {
      const accepts = matcher(value);
      const mask = Uint8Array.from(tags, (some) => (some.some(accepts) ? 1 : 0));
      if (mask.includes(1)) return { bound: false, mask };
      return tags.some((some) => some.length) ? `No scenario here has the tag “${value}”.${suggestion(tags.flat().sort())}` : "This run's record does not say which tags its scenarios have.";
    },
  };
}

function changeKind(column) {
  const kind = listKind("change", "since the other run: regression, fixed, new failure", ["none", ...run.changes], column);
  return { ...kind, select: (value) => (run.changes.length ? kind.select(value) : "This page was made without another run to compare with.") };
}

/** Of failures alone: a cell that passed is neither known nor new. */
function knownKind(cause, match) {
  const fails = (cell) => cause[cell] !== 0;
  const kind = judgedKind("known", "yes, no, or a name in known.yaml", (one) => one[3], match);
  return { ...kind, holds: (mask, cell) => fails(cell) && kind.holds(mask, cell) };
}

/** A word without a kind: part of one of a cell's names or of its error. */
function textKind() {
  const { scenario, userland, mode, source, destination, cause } = run.columns;
  const places = [
    [run.scenarios.map((one) => one.name), scenario],
    [run.userlands.map((one) => one.name), userland],
    [run.modes, mode],
    [run.kernels.map((one) => one.name), source],
    [run.kernels.map((one) => one.name), destination],
    [["", ...run.causes.map((one) => one.error)], cause],
  ];
  return {
    name: "text",
    says: "",
    holds: (mask, cell) => (mask.whole !== null ? nameOf(cell).includes(mask.whole) : mask.parts.some(([accepted, column]) => accepted[column[cell]] === 1)),
    select(value) {
      if (value.includes("/") || value.includes("→")) return { bound: false, mask: { whole: value } };
      const accepts = contains(value);
      const parts = places.map(([names, column]) => [Uint8Array.from(names, (name) => (accepts(name) ? 1 : 0)), column]);
      if (!parts.some(([accepted]) => accepted.includes(1))) return `Nothing here has “${value}” in its name or its error.`;
      return { bound: false, mask: { whole: null, parts } };
    },
  };
}
