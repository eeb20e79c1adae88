// Elements are made here and nowhere else: text stays text, a link leads into the page or the run's folder.

const SVG = "http://www.w3.org/2000/svg";

function fill(made, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") made.addEventListener(name, value);
    else if (name === "href" && !/^(#|\.\/)/.test(value)) continue;
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false && child !== ""));
  return made;
}

/** An element; an attribute that is a function listens to the event of its name. */
function element(tag, attributes, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

function svg(tag, attributes, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

function byId(id) {
  return document.getElementById(id);
}

/** The sign of a verdict in its colours. */
function tile(verdict, text) {
  const look = verdict === null ? { style: "v-none", sign: "·" } : run.verdicts[verdict];
  return element("span", { class: `tile ${look.style}` }, element("b", { "aria-hidden": "true" }, look.sign), text || null);
}

function plural(count, one, many) {
  return `${count.toLocaleString("en")} ${count === 1 ? one : many || `${one}s`}`;
}
