import { describe, expect, it } from "vitest";
import { blocks, spans } from "./markdown.ts";

describe("the Markdown of plans", () => {
  it("is headings, tables, lists and paragraphs", () => {
    const text = "# Orders\n\nWhen the site\nis lost.\n\n| Name | Reach |\n|---|---|\n| Vera | +49 \\| 69 |\n\n1. first\n2. second\n- other\n\nEnd.";
    expect(blocks(text)).toEqual([
      { kind: "heading", level: 1, text: "Orders" },
      { kind: "paragraph", text: "When the site is lost." },
      { kind: "table", head: ["Name", "Reach"], rows: [["Vera", "+49 | 69"]] },
      { kind: "list", ordered: true, items: ["first", "second"] },
      { kind: "list", ordered: false, items: ["other"] },
      { kind: "paragraph", text: "End." },
    ]);
  });

  it("keeps what looks like a page as the text it is", () => {
    expect(blocks("<script>alert(1)</script>")).toEqual([{ kind: "paragraph", text: "<script>alert(1)</script>" }]);
    expect(spans("run `muster doctor` **now**")).toEqual([
      { style: "plain", text: "run " },
      { style: "code", text: "muster doctor" },
      { style: "plain", text: " " },
      { style: "bold", text: "now" },
    ]);
  });
});
