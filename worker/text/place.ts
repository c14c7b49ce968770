/** How a message begins that is about one of several texts; where there is only one, it need not be said. */
export function placeOf(texts: readonly string[], index: number): string {
  return texts.length > 1 ? `text ${index}: ` : "";
}
