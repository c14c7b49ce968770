/**
 * Unlabelled English paragraphs, to pre-train an encoder on: OpenStax textbooks and English novels of 1883 to 1911. Both were
 * cleaned of their markup when the mirror was made, so there is no public file that holds these very lines.
 */
import { type RowFile, readRows, type SourceOptions } from "../rows.ts";

const OPENSTAX: RowFile = {
  mirrorFile: "lm_openstax/paragraphs.txt.gz",
  fields: 1,
  sha256: "68a2d485e378fb7aa281ae0392bcff33f020628a283273ee8aa681d8aebf33ef",
  source: "ten books of github.com/philschatz, Markdown and HTML stripped, one paragraph a line",
};
const NOVELS: RowFile = {
  mirrorFile: "lm_novels/paragraphs.txt.gz",
  fields: 1,
  sha256: "ac4246bfa5a5835ddb4f4c1993a55a430ab0ac88ef6197e2af385156146d6773",
  source: "18 of github.com/computationalstylistics/100_english_novels, one paragraph a line",
};

/** For the model card. */
export const PLAIN_TEXT_CARDS = [
  { name: "OpenStax textbooks (ten books)", licence: "CC BY 4.0", rows: 66_218 },
  { name: "English novels 1883–1911 (18)", licence: "public domain", rows: 24_069 },
];

/** @throws Error as of `readRows` */
export async function loadPlainText(options?: SourceOptions): Promise<string[]> {
  const files = [await readRows("openstax", OPENSTAX, options), await readRows("novels", NOVELS, options)];
  return files.flat().map(([text]) => text!);
}
