// What the page shows is in the address: every view can be sent.
//   q query, rows and cols what spans the grid, at the open square (ROW~COLUMN), list all that match, cell the open cell

const BASELINE_COLUMN = "*baseline";
const PLAIN = { q: "", rows: "source", cols: "destination", at: null, list: false, cell: null };

function decoded(text) {
  try {
    return decodeURIComponent(text.replace(/\+/g, "%20"));
  } catch {
    return text; // somebody's hand-made address
  }
}

function encoded(text) {
  return encodeURIComponent(text).replace(/%(2F|3A|2C|3E|3D|E2%86%92)/gi, (sign) => (sign.toUpperCase() === "%3D" ? sign : decodeURIComponent(sign))).replace(/~/g, "%7E");
}

/** The state in an address, and what of it is not understood. */
function readState(hash) {
  const state = { ...PLAIN };
  const told = [];
  const text = hash.replace(/^#/, "");
  if (!text.includes("=")) return { state, told };
  for (const part of text.split("&").filter(Boolean)) {
    const [key, raw] = [part.slice(0, (part + "=").indexOf("=")), part.slice((part + "=").indexOf("=") + 1)];
    const value = decoded(raw);
    if (key === "q") state.q = value;
    else if (key === "rows" || key === "cols") {
      if (Object.hasOwn(AXES, value)) state[key] = value;
      else told.push(`The address wants ${key} by “${value}”; there are: ${Object.keys(AXES).join(", ")}.`);
    } else if (key === "at") {
      const [row, column] = raw.split("~");
      state.at = column === undefined ? null : { row: decoded(row), column: decoded(column) };
    } else if (key === "list") state.list = value === "1";
    else if (key === "cell") state.cell = value;
    else told.push(`The address has “${key}”, which this page does not know.`);
  }
  if (state.rows === state.cols) {
    told.push("Rows and columns of one kind span nothing.");
    state.rows = PLAIN.rows;
    state.cols = PLAIN.cols;
  }
  return { state, told };
}

function writeState(state) {
  const parts = [];
  if (state.q) parts.push(`q=${encoded(state.q)}`);
  if (state.rows !== PLAIN.rows) parts.push(`rows=${state.rows}`);
  if (state.cols !== PLAIN.cols) parts.push(`cols=${state.cols}`);
  if (state.at) parts.push(`at=${encoded(state.at.row)}~${encoded(state.at.column)}`);
  if (state.list) parts.push("list=1");
  if (state.cell) parts.push(`cell=${encoded(state.cell)}`);
  return parts.length ? `#${parts.join("&")}` : "#";
}
