import { Refused } from "@sallyport/client";
import { session } from "../session";

/** What POST …/explain takes and answers (sallyport.admin.v1, explain.proto): as much of it as the page shows. */
export interface HypotheticalRequest {
  method?: string;
  host?: string;
  target: string;
  headers?: Header[];
  address?: string;
  caller?: { api_key?: string; consumer?: string; scopes?: string[] };
}

export interface Header {
  name: string;
  value: string;
}

export interface Explanations {
  nodes?: Explanation[];
  differences?: { field: string; sides?: { value?: string; nodes?: string[] }[] }[];
  more?: boolean;
}

export interface Explanation {
  node: string;
  name?: string;
  answered?: boolean;
  code?: string;
  detail?: string;
  revision?: number;
  sequence?: number;
  verdict?: string;
  reason?: string;
  policy?: string;
  status?: number;
  shadow_verdict?: string;
  client_address?: string;
  host?: string;
  path?: string;
  route?: { id: string; name: string; path?: string; compared?: string; params?: Record<string, string>; public?: boolean };
  near_misses?: Miss[];
  stages?: Stage[];
  caller?: { consumer?: string; name?: string; api_key?: string; scopes?: string[] };
  answer?: { headers?: Header[]; body?: string };
  forward?: { service?: string; name?: string; targets?: string[]; path?: string; headers?: Header[] };
}

export interface Miss {
  route: string;
  name: string;
  part: string;
  condition?: string;
  wanted?: string;
  given?: string;
  others?: number;
}

export interface Stage {
  policy: string;
  name: string;
  kind: string;
  level: string;
  phase: string;
  mode: string;
  verdict: string;
  code?: string;
  reason?: string;
  took_ns?: number;
}

/** explain asks a node, or all of them, what they would do with a request. */
export async function explain(environment: string, request: HypotheticalRequest, everyNode: boolean): Promise<Explanations> {
  const path = `/api/v1/environments/${encodeURIComponent(environment)}/explain${everyNode ? "?nodes=all" : ""}`;
  const answer = await fetch(path, {
    method: "POST",
    credentials: "omit",
    headers: { Authorization: `Bearer ${session.token()}`, "Content-Type": "application/json" },
    body: JSON.stringify(request),
  }).catch((error: unknown) => {
    throw new Refused(0, { code: "unreachable", title: "The control plane can't be reached", detail: String(error) });
  });
  const body: unknown = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Refused(answer.status, { request_id: answer.headers.get("X-Request-Id") ?? "", ...(body as object) });
  return body as Explanations;
}
