// Where the faults of a manifest stand in its text.

export interface Placed {
  /** From 1; absent for the manifest as a whole. */
  line?: number;
  column?: number;
  /** "spec.rpo" */
  field: string;
  text: string;
}

const POSITION = /^(?:manifest|document \d+)(?:, line (\d+), column (\d+))?$/;

/** "document 1, line 7, column 9: spec.rpo" */
export function placed({ place, text }: { place: string; text: string }): Placed {
  const [position = "", field = ""] = place.split(": ");
  const found = POSITION.exec(position);
  if (!found) return { field: place, text };
  const [, line, column] = found;
  return line && column ? { line: Number(line), column: Number(column), field, text } : { field, text };
}

/** Characters of the text before that place, so that the editor can go there. */
export function offsetOf(text: string, line: number, column = 1): number {
  const lines = text.split("\n");
  const before = lines.slice(0, line - 1).reduce((sum, one) => sum + one.length + 1, 0);
  return Math.min(text.length, before + Math.min(column - 1, lines[line - 1]?.length ?? 0));
}

/** The whole line, to be marked. */
export function lineAt(text: string, line: number): [number, number] {
  const start = offsetOf(text, line);
  const end = text.indexOf("\n", start);
  return [start, end < 0 ? text.length : end];
}
