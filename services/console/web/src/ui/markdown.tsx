import { type Block, blocks, spans } from "../lib/markdown.ts";
import { Scroll } from "./scroll.tsx";

/** A document inside a page: its first heading is one below the page's own. */
export function Markdown({ text, label }: { text: string; label: string }) {
  return (
    <article className="document stack" aria-label={label}>
      {blocks(text).map((block, index) => (
        <One key={index} block={block} label={label} />
      ))}
    </article>
  );
}

function One({ block, label }: { block: Block; label: string }) {
  switch (block.kind) {
    case "heading": {
      const Heading = block.level === 1 ? "h2" : block.level === 2 ? "h3" : "h4";
      return (
        <Heading>
          <Text text={block.text} />
        </Heading>
      );
    }
    case "table":
      return <Table head={block.head} rows={block.rows} label={label} />;
    case "list": {
      const List = block.ordered ? "ol" : "ul";
      return (
        <List className="bullets">
          {block.items.map((item, index) => (
            <li key={index}>
              <Text text={item} />
            </li>
          ))}
        </List>
      );
    }
    case "paragraph":
      return (
        <p>
          <Text text={block.text} />
        </p>
      );
  }
}

function Table({ head, rows, label }: { head: string[]; rows: string[][]; label: string }) {
  const titled = head.some((cell) => cell !== "");
  return (
    <Scroll label={`Table of ${label}`}>
      <table>
        {titled && (
          <thead>
            <tr>
              {head.map((cell, index) => (
                <th key={index}>{cell === "" ? <span className="visually-hidden">number</span> : <Text text={cell} />}</th>
              ))}
            </tr>
          </thead>
        )}
        <tbody>
          {rows.map((row, index) => (
            <tr key={index}>
              {row.map((cell, column) => (
                <td key={column} className={!titled && column === 0 ? "quiet" : undefined}>
                  <Text text={cell} />
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </Scroll>
  );
}

function Text({ text }: { text: string }) {
  return spans(text).map((span, index) => {
    if (span.style === "code") return <code key={index}>{span.text}</code>;
    if (span.style === "bold") return <strong key={index}>{span.text}</strong>;
    return span.text;
  });
}
