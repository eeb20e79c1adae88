// The text query: `verdict:breakage dst:>=6.16 scenario:tcp* -mode:cold "any text"`.
// Words of one kind are alternatives, kinds must all hold, `-` means not. Nothing is passed over in silence.

/** A text's words, split at blanks outside quotes. */
function wordsOf(text) {
  return text.match(/(?:[^\s"]|"[^"]*"?)+/g) || [];
}

/** One word: its kind (null for plain text), whether it is a not, its values. */
function parseWord(word) {
  const negative = word.length > 1 && word.startsWith("-");
  const bare = negative ? word.slice(1) : word;
  const match = /^([A-Za-z_]+):(.*)$/s.exec(bare);
  if (match === null) return { word, kind: null, negative, values: [unquoted(bare)] };
  const values = (match[2].match(/(?:[^,"]|"[^"]*"?)+/g) || []).map(unquoted).filter((value) => value !== "");
  return { word, kind: match[1].toLowerCase(), negative, values };
}

function unquoted(text) {
  return text.replace(/"/g, "").trim();
}

function quoted(text) {
  return /[\s,"]/.test(text) ? `"${text.replace(/"/g, "")}"` : text;
}

/** Whether a name is what a value says: the same, one of its words, or what a `*` stands for. */
function matcher(value) {
  const plain = (text) => text.toLowerCase().replace(/[\s_]+/g, "-");
  const wanted = plain(value);
  if (!wanted.includes("*") && !wanted.includes("?")) return (name) => plain(name) === wanted;
  const pattern = wanted.replace(/[.+^${}()|[\]\\]/g, "\\$&").replace(/\*/g, ".*").replace(/\?/g, ".");
  const expression = new RegExp(`^${pattern}$`, "s");
  return (name) => expression.test(plain(name));
}

/** Whether a value is one of a name's words: `breakage` is one of `cross-kernel breakage`. */
function wordMatcher(value) {
  const whole = matcher(value);
  const wanted = value.toLowerCase();
  return (name) => whole(name) || name.toLowerCase().split(/[\s-]+/).includes(wanted);
}

const BEYOND = 1 << 30; // a release comes after all its candidates; `harness/verdict/order.py` has the same

/** A version's place in the kernels' order, or null if it is none. */
function versionKey(text) {
  const match = /^v?(\d+(?:\.\d+)*)(?:[~-]?rc(\d+))?$/.exec(text);
  if (match === null) return null;
  const numbers = match[1].split(".").map(Number).slice(0, 4);
  while (numbers.length < 4) numbers.push(0);
  return [...numbers, match[2] === undefined ? BEYOND : Number(match[2])];
}

function compareKeys(left, right) {
  for (let place = 0; place < left.length; place += 1) if (left[place] !== right[place]) return left[place] - right[place];
  return 0;
}

const COMPARISONS = {
  "<": (order) => order < 0,
  "<=": (order) => order <= 0,
  ">": (order) => order > 0,
  ">=": (order) => order >= 0,
  "=": (order) => order === 0,
};

/** For a kernel: `{bound, accepts}`. A bound must hold beside other bounds; anything else is an alternative. */
function kernelMatcher(value) {
  const comparison = /^(<=|>=|<|>|=)(.*)$/.exec(value);
  if (comparison !== null) {
    const key = versionKey(comparison[2]);
    const holds = COMPARISONS[comparison[1]];
    return key && { bound: true, accepts: (kernel) => holds(compareKeys(kernel.key, key)) };
  }
  const named = matcher(value);
  const series = /^v?\d+(\.\d+)*$/.test(value) ? value.replace(/^v/, "").split(".").map(Number) : null;
  return {
    bound: false,
    accepts: (kernel) => named(kernel.name) || named(kernel.release) || (series !== null && series.every((number, place) => kernel.key[place] === number)),
  };
}

/** What a query selects: `{accepts, words, told}`; `kinds` is what `kindsOf(run)` gives. */
function compile(text, kinds) {
  const words = wordsOf(text).map(parseWord);
  const told = [];
  const groups = new Map();
  for (const word of words) {
    const name = word.kind === null ? "text" : word.kind;
    if (!Object.hasOwn(kinds, name) || word.kind === "text") {
      told.push(`“${word.kind}:” is no kind of word. There are: ${Object.keys(kinds).filter((one) => !kinds[one].alias && one !== "text").join(", ")}. To look for it as text, put it in quotes.`);
      continue;
    }
    if (word.values.length === 0) told.push(`“${word.word}” has no value.`);
    const kind = kinds[name];
    if (!groups.has(kind.name)) groups.set(kind.name, { bounds: [], either: [], not: [] });
    for (const value of word.values) addTest(groups.get(kind.name), kind, word.negative, value, told);
  }
  const tests = [...groups.values()].map(joined);
  return { words, told, accepts: (cell) => tests.every((test) => test(cell)) };
}

function addTest(group, kind, negative, value, told) {
  const found = kind.select(value);
  if (typeof found === "string") {
    told.push(found);
    if (!negative) group.either.push(() => false); // not what does not exist: everything
    return;
  }
  const holds = (cell) => kind.holds(found.mask, cell);
  if (negative) group.not.push(holds);
  // Words without a kind narrow one another down, as in any search; so do the bounds of a version.
  else if (found.bound || kind.name === "text") group.bounds.push(holds);
  else group.either.push(holds);
}

/** One kind's test: within all bounds, or one of the names; and nothing that it must not be. */
function joined({ bounds, either, not }) {
  return (cell) => {
    if (not.some((holds) => holds(cell))) return false;
    if (bounds.length === 0 && either.length === 0) return true;
    return (bounds.length > 0 && bounds.every((holds) => holds(cell))) || either.some((holds) => holds(cell));
  };
}
