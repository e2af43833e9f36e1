import type { HypotheticalRequest } from "@sallyport/client";

/** Caller is whose credential a request is taken to show, as it is picked. */
export interface Caller {
  by: "headers" | "key" | "consumer";
  /** Key or consumer, by id; null: none is picked yet. */
  named: string | null;
  /** Of the key that a consumer is taken to have, as they are typed. */
  scopes: string;
}

export const nobody: Caller = { by: "headers", named: null, scopes: "" };

/** callerOf is what of a request says who calls: nothing where the headers do. */
export function callerOf({ by, named, scopes }: Caller): Pick<HypotheticalRequest, "caller"> {
  if (by === "headers" || named === null) return {};
  if (by === "key") return { caller: { api_key: named } };
  const words = scopes.split(/[\s,]+/).filter((word) => word !== "");
  return { caller: { consumer: named, ...(words.length === 0 ? {} : { scopes: words }) } };
}
