/** How many entries a checkpoint covers: its second line. Undefined before the first one, and where it cannot be read. */
export function sizeOf(checkpoint: string): bigint | undefined {
  const line = checkpoint.split("\n")[1] ?? "";
  return /^\d{1,20}$/.test(line) ? BigInt(line) : undefined;
}
