// Dark, light, or as the system says. Set before the first paint by public/assets/theme.js.

export type Theme = "system" | "light" | "dark";

const KEY = "muster-theme";

export function chosenTheme(): Theme {
  const chosen = document.documentElement.dataset.theme;
  return chosen === "dark" || chosen === "light" ? chosen : "system";
}

export function chooseTheme(theme: Theme) {
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  try {
    if (theme === "system") localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, theme);
  } catch {
    // Storage is closed: the choice holds for this page.
  }
}
