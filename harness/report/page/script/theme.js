// Light, dark, or as the system has it. Remembered where the browser lets a local file remember anything.

const THEMES = { auto: "As the system", light: "Light", dark: "Dark" };
const REMEMBERED = "kmatrix-theme";

function remembered(value) {
  try {
    if (value !== undefined) localStorage.setItem(REMEMBERED, value);
    return localStorage.getItem(REMEMBERED);
  } catch {
    return value === undefined ? null : value;
  }
}

function themeButton() {
  let theme = Object.hasOwn(THEMES, remembered() || "") ? remembered() : "auto";
  const button = element("button", { type: "button", class: "button plain" });
  const apply = () => {
    if (theme === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    button.textContent = { auto: "◐", light: "○", dark: "●" }[theme];
    button.setAttribute("aria-label", `Theme: ${THEMES[theme]}`);
    button.title = `Theme: ${THEMES[theme]}`;
  };
  button.addEventListener("click", () => {
    const names = Object.keys(THEMES);
    theme = names[(names.indexOf(theme) + 1) % names.length];
    remembered(theme);
    apply();
  });
  apply();
  return button;
}
