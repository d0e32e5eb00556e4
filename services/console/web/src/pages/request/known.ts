// What is known of several systems comes as one text: "orders-db: …. catalog-db: …". One line for each is read sooner.

export function perSystem(text: string, systems: readonly string[]): string[] {
  // Names hold no sign that means something to an expression but the dot and the hyphen.
  const names = systems.filter(Boolean).map((name) => name.replace(/[^\w-]/g, "\\$&"));
  if (names.length < 2) return [text];
  return text.split(new RegExp(`(?<=^|[.;] )(?=(?:${names.join("|")}): )`)).map((line) => line.trim()).filter(Boolean);
}
