// The Markdown that Muster writes itself (plans' documents): headings, tables, lists, paragraphs, code and bold.
// It becomes data, never HTML: what a plan's author wrote cannot become a part of the page.

export type Block =
  | { kind: "heading"; level: number; text: string }
  | { kind: "table"; head: string[]; rows: string[][] }
  | { kind: "list"; ordered: boolean; items: string[] }
  | { kind: "paragraph"; text: string };

export interface Span {
  style: "plain" | "code" | "bold";
  text: string;
}

const HEADING = /^(#{1,6})\s+(.*)$/;
const ITEM = /^\s*(?:[-*]|(\d+)\.)\s+(.*)$/;
const RULER = /^\|?[\s:|-]+\|?$/;

export function blocks(markdown: string): Block[] {
  const found: Block[] = [];
  for (const line of markdown.split("\n").map((text) => text.trimEnd())) {
    const last = found.at(-1);
    const heading = HEADING.exec(line);
    const item = ITEM.exec(line);
    if (line === "") {
      // An empty line ends what was before; a paragraph begins anew.
      if (last?.kind === "paragraph" && last.text !== "") found.push({ kind: "paragraph", text: "" });
    } else if (heading) {
      found.push({ kind: "heading", level: (heading[1] ?? "").length, text: heading[2] ?? "" });
    } else if (line.startsWith("|")) {
      takeRow(found, line);
    } else if (item) {
      const ordered = item[1] !== undefined;
      if (last?.kind === "list" && last.ordered === ordered) last.items.push(item[2] ?? "");
      else found.push({ kind: "list", ordered, items: [item[2] ?? ""] });
    } else if (last?.kind === "paragraph") {
      last.text = `${last.text} ${line}`.trim();
    } else {
      found.push({ kind: "paragraph", text: line });
    }
  }
  return found.filter((block) => block.kind !== "paragraph" || block.text !== "");
}

function takeRow(found: Block[], line: string) {
  const last = found.at(-1);
  const cells = line
    .replace(/^\||\|$/g, "")
    .split(/(?<!\\)\|/)
    .map((cell) => cell.trim().replaceAll("\\|", "|"));
  if (last?.kind !== "table") found.push({ kind: "table", head: cells, rows: [] });
  else if (!(last.rows.length === 0 && RULER.test(line) && line.includes("-"))) last.rows.push(cells);
}

export function spans(text: string): Span[] {
  const parts = text.split(/(`[^`]+`|\*\*[^*]+\*\*)/).filter(Boolean);
  return parts.map((part) => {
    if (part.length > 2 && part.startsWith("`") && part.endsWith("`")) return { style: "code", text: part.slice(1, -1) };
    if (part.length > 4 && part.startsWith("**") && part.endsWith("**")) return { style: "bold", text: part.slice(2, -2) };
    return { style: "plain", text: part };
  });
}
