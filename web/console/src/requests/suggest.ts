import { took } from "@sallyport/client";
import { api } from "../api";

/** Wish asks for the narrowest exclusion of a rule that called a request bad; publish makes it, in shadow. */
interface Wish {
  request: string;
  rule: number;
  publish?: boolean;
}

interface Exclusion {
  name?: string;
  rule?: number;
  tag?: string;
  target?: string;
  mode?: string;
  expires_at?: string;
  owner?: string;
}

interface Attack {
  test?: string;
  title?: string;
  payload?: string;
}

/** Suggestion is what would let such a request pass, and what else it would open. */
export interface Suggestion {
  route_name?: string;
  proposals?: Exclusion[];
  verdict?: "narrow" | "opens_attacks" | "untried";
  sentences?: string[];
  trial?: { opened?: Attack[] };
  published?: boolean;
}

/** suggest asks for exclusions. Nothing is made unless it is wished. */
export async function suggest(environment: string, wish: Wish): Promise<Suggestion> {
  const post = api.POST as unknown as (path: string, options: object) => Promise<{ data?: Suggestion }>;
  return took(await post(`/api/v1/environments/${encodeURIComponent(environment)}/waf-exclusions/suggest`, { body: wish })) ?? {};
}
