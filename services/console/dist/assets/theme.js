// Before the first paint, so that a chosen theme does not flash. The rest is in src/lib/theme.ts.
try {
  const chosen = localStorage.getItem("muster-theme");
  if (chosen === "dark" || chosen === "light") document.documentElement.dataset.theme = chosen;
} catch {
  // Storage is closed: the system's theme holds.
}
