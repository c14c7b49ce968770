/**
 * The text of an event: what JSON Pointers (RFC 6901) find in its body.
 */

/** @returns the keys on the way, or undefined if it is no pointer */
export function parsePointer(pointer: string): string[] | undefined {
  if (pointer === "") return [];
  if (!pointer.startsWith("/") || /~(?![01])/.test(pointer)) return undefined;
  return pointer
    .slice(1)
    .split("/")
    .map((key) => key.replaceAll("~1", "/").replaceAll("~0", "~"));
}

/** @returns what a pointer finds, or undefined */
export function lookUp(document: unknown, pointer: string): unknown {
  let value = document;
  for (const key of parsePointer(pointer) ?? [""]) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, key)) return undefined;
    if (Array.isArray(value) && !/^\d+$/.test(key)) return undefined;
    value = (value as Record<string, unknown>)[key];
  }
  return value;
}

const PLACEHOLDER = /\{((?:\/[^{}]*)?)\}/g;

/** @returns its pointers, or undefined if it has none or a wrong one */
export function parseTemplate(template: string): string[] | undefined {
  const pointers = [...template.matchAll(PLACEHOLDER)].map((match) => match[1]!);
  return pointers.length > 0 && pointers.every((pointer) => parsePointer(pointer)) ? pointers : undefined;
}

/**
 * @param text pointers, or a template with pointers in braces
 * @returns "" if the document has none of it: a template's own words are no text of the event
 */
export function extractText(document: unknown, text: string | readonly string[]): string {
  const find = (pointer: string) => describe(lookUp(document, pointer));
  if (typeof text !== "string") return text.map(find).filter(Boolean).join("\n\n");
  const found = parseTemplate(text)?.some((pointer) => find(pointer) !== "");
  return found ? text.replaceAll(PLACEHOLDER, (_, pointer: string) => find(pointer)) : "";
}

/** Texts and numbers as they are, lists of them in a row; objects say nothing. */
function describe(value: unknown): string {
  if (Array.isArray(value)) return value.map(describe).filter(Boolean).join(", ");
  return typeof value === "string" || typeof value === "number" ? String(value) : "";
}
