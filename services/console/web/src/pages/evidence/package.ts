// A package of evidence on its way into one file: kept whole or not at all.

import type { ExportPackageResponse } from "../../gen/muster/audit/v1/audit_service_pb.ts";
import { Archive, NotAPackage } from "./archive.ts";

const MIB = 1_048_576;
/** A browser holds it until it is whole; what is larger is for the command line, which writes as it reads. */
export const MAX_PACKAGE_BYTES = 512 * MIB;

export interface Progress {
  files: number;
  bytes: number;
  /** What is being written. */
  path: string;
}

/** Takes the pieces up to the last message, which says how many files there are. */
export async function collect(pieces: AsyncIterable<Pick<ExportPackageResponse, "path" | "chunk" | "files">>, tell: (progress: Progress) => void, limit = MAX_PACKAGE_BYTES): Promise<{ archive: Blob } & Progress> {
  const archive = new Archive();
  let path = "";
  for await (const piece of pieces) {
    if (piece.files > 0) {
      if (piece.files !== archive.files) throw incomplete(archive.files, piece.files);
      return { archive: archive.finish(), files: archive.files, bytes: archive.bytes, path };
    }
    if (piece.path) archive.begin((path = piece.path));
    archive.write(piece.chunk);
    if (archive.bytes > limit) throw new NotAPackage(`The package is larger than ${limit / MIB} MiB, more than a browser should hold. Next: narrow it, or use \`muster audit export --package\`.`);
    tell({ files: archive.files, bytes: archive.bytes, path });
  }
  throw incomplete(archive.files);
}

function incomplete(came: number, of?: number): NotAPackage {
  return new NotAPackage(`The package came incomplete (${came} ${of === undefined ? "files, without an end" : `of ${of} files`}). Nothing was kept. Next: export again.`);
}
