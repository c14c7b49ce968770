/** Where public files are, and how their text is read. */

/** Address of a file of a GitHub repository as it was at a commit. */
export function gitHubFile(repository: string, commit: string, path: string): string {
  return `https://raw.githubusercontent.com/${repository}/${commit}/${path}`;
}

/** Address of a folder of it, for people. */
export function gitHubFolder(repository: string, commit: string, path = ""): string {
  return `https://github.com/${repository}/tree/${commit}${path === "" ? "" : `/${path}`}`;
}

/**
 * The text of a file.
 * @throws Error if the bytes are not in the encoding
 */
export function decodeText(bytes: Uint8Array, encoding = "utf-8"): string {
  return new TextDecoder(encoding, { fatal: true }).decode(bytes);
}

/** The lines of a text file that are not empty, without line breaks. */
export function textLines(bytes: Uint8Array, encoding?: string): string[] {
  return decodeText(bytes, encoding)
    .split(/\r?\n/)
    .filter((line) => line !== "");
}
