// An archive (POSIX ustar) of the files that a package comes in, as `muster audit export` writes it: nothing in it says
// when or by whom it was made, so that the same package is the same bytes.

const BLOCK = 512;
/** Of a name: the last so many bytes, and a folder before them. */
const NAME_BYTES = 100;
const PREFIX_BYTES = 155;
/** Eleven octal digits. */
const MAX_FILE_BYTES = 0o77777777777;

const ascii = new TextEncoder();

export class NotAPackage extends Error {}

export class Archive {
  files = 0;
  bytes = 0;
  private readonly parts: Uint8Array<ArrayBuffer>[] = [];
  private open: { path: string; size: number; pieces: Uint8Array<ArrayBuffer>[] } | undefined;

  /** Begins the next file. What a server says is no reason to write anywhere but into the package. */
  begin(path: string) {
    this.end();
    const inside = path !== "" && !path.startsWith("/") && path.split("/").every((part) => part !== "" && part !== "." && part !== "..");
    if (!inside) throw new NotAPackage(`The server names a file “${path}” outside of the package. Nothing was kept.`);
    this.files += 1;
    this.open = { path, size: 0, pieces: [] };
  }

  write(piece: Uint8Array) {
    if (piece.length === 0) return;
    if (!this.open) throw new NotAPackage("The server sends content without a file. Nothing was kept.");
    this.open.pieces.push(new Uint8Array(piece));
    this.open.size += piece.length;
    this.bytes += piece.length;
  }

  /** Everything is there. */
  finish(): Blob {
    this.end();
    return new Blob([...this.parts, new Uint8Array(2 * BLOCK)], { type: "application/x-tar" });
  }

  private end() {
    if (!this.open) return;
    const { path, size, pieces } = this.open;
    this.parts.push(head(path, size), ...pieces, new Uint8Array((BLOCK - (size % BLOCK)) % BLOCK));
    this.open = undefined;
  }
}

function head(path: string, size: number): Uint8Array<ArrayBuffer> {
  if (size > MAX_FILE_BYTES) throw new NotAPackage(`${path} is larger than an archive can hold. Use the command line.`);
  const block = new Uint8Array(BLOCK);
  const put = (at: number, text: string) => block.set(ascii.encode(text), at);
  const octal = (value: number, digits: number) => `${value.toString(8).padStart(digits, "0")}\0`;
  const { name, prefix } = split(path);
  put(0, name);
  put(100, octal(0o644, 7));
  put(108, octal(0, 7));
  put(116, octal(0, 7));
  put(124, octal(size, 11));
  put(136, octal(0, 11));
  // The checksum is made over a head in which it is eight spaces itself.
  put(148, " ".repeat(8));
  put(156, "0");
  put(257, "ustar\x0000");
  put(345, prefix);
  const sum = block.reduce((total, byte) => total + byte, 0);
  put(148, `${sum.toString(8).padStart(6, "0")}\0 `);
  return block;
}

/** A long path is kept in two fields, divided at a slash. */
function split(path: string): { name: string; prefix: string } {
  if (ascii.encode(path).length <= NAME_BYTES) return { name: path, prefix: "" };
  for (let at = path.indexOf("/"); at >= 0; at = path.indexOf("/", at + 1)) {
    const [prefix, name] = [path.slice(0, at), path.slice(at + 1)];
    if (ascii.encode(name).length <= NAME_BYTES && ascii.encode(prefix).length <= PREFIX_BYTES) return { name, prefix };
  }
  throw new NotAPackage(`The name “${path}” is longer than an archive can hold. Use the command line.`);
}
