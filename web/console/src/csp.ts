/** nonce is this answer's, by which the page may make styles. */
export function nonce(): string {
  return document.querySelector<HTMLMetaElement>('meta[name="csp-nonce"]')?.content ?? "";
}

interface TrustedTypes {
  createPolicy: (name: string, rules: { createHTML: (text: string) => string | null }) => unknown;
}

/** holdMarkup makes the one policy of trusted types: what is set as markup may be a style sheet, and nothing that opens a tag. So no text
 * of ours or of a user ever becomes an element. What asks for more is refused by the browser. */
export function holdMarkup(): void {
  // Libraries that make a style element ask for its nonce by this name.
  (globalThis as { __webpack_nonce__?: string }).__webpack_nonce__ = nonce();
  const types = (globalThis as { trustedTypes?: TrustedTypes }).trustedTypes;
  types?.createPolicy("default", { createHTML: (text) => (text.includes("<") ? null : text) });
}
