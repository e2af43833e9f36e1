/** timeOf is a time as people read it, where they are. */
export function timeOf(text: string): string {
  return new Date(text).toLocaleString("en", { dateStyle: "medium", timeStyle: "short" });
}

/** momentOf is a time to the second: requests come close together. */
export function momentOf(text: string): string {
  return new Date(text).toLocaleString("en", { dateStyle: "medium", timeStyle: "medium" });
}
