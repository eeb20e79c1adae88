// The sheet at the side: a cell, the cells of a square, or all that match.

const drawer = { back: () => {}, shut: () => {} };

function showDrawer(path, content, deep) {
  const sheet = byId("drawer");
  const top = element(
    "header",
    {},
    deep ? element("button", { type: "button", class: "button plain", click: () => drawer.back() }, "‹ Back") : null,
    element("p", { class: "path" }, path),
    element("button", { type: "button", class: "button plain", "aria-label": "Close", click: () => drawer.shut() }, "✕"),
  );
  sheet.replaceChildren(top, element("div", { class: "body" }, content));
  if (!sheet.open) sheet.showModal();
  sheet.scrollTop = 0;
}

function hideDrawer() {
  const sheet = byId("drawer");
  if (!sheet.open) return;
  sheet.close();
  sheet.replaceChildren();
}

function listenToDrawer() {
  const sheet = byId("drawer");
  sheet.addEventListener("cancel", (event) => {
    event.preventDefault();
    drawer.back();
  });
  sheet.addEventListener("click", (event) => {
    if (event.target === sheet && event.clientX < sheet.getBoundingClientRect().left) drawer.shut();
  });
}
