import createFetch, { type Middleware } from "openapi-fetch";
import type { components, paths } from "./schema.gen";

export type Schemas = components["schemas"];
export type Policy = Schemas["Policy"];
export type PolicyKind = Schemas["PolicyKind"];
export type Route = Schemas["Route"];
export type RoutePolicy = Schemas["RoutePolicy"];
export type ApiKey = Schemas["ApiKey"];
export type Consumer = Schemas["Consumer"];
export type Environment = Schemas["Environment"];
export type Plan = Schemas["ChangesResponse"];
export type Effect = Schemas["Effect"];
export type Me = Schemas["Me"];
export type HypotheticalRequest = Schemas["HypotheticalRequest"];
export type HypotheticalHeader = Schemas["HypotheticalHeader"];
export type HypotheticalCaller = Schemas["HypotheticalCaller"];
export type Explanations = Schemas["Explanations"];
export type Explanation = Schemas["Explanation"];
export type SignInOptions = Schemas["SignInOptions"];

/** Refused is an answer of the API that is no success: its problem (RFC 9457), or that it couldn't be reached. */
export class Refused extends Error {
  readonly status: number;
  readonly problem: Partial<Schemas["Problem"]>;

  constructor(status: number, problem: Partial<Schemas["Problem"]>) {
    super(problem.detail ?? problem.title ?? `answered ${status}`);
    this.status = status;
    this.problem = problem;
  }
}

export type Client = ReturnType<typeof createClient>;

/** createClient speaks to the API that is beside the page: with a token or, where that is "", with the session that the browser has a cookie
 * of. The header beside that says that it is this page that asks. unauthenticated is told when neither is taken any more. */
export function createClient(token: () => string, unauthenticated: () => void) {
  const client = createFetch<paths>({ baseUrl: "", credentials: "same-origin", cache: "no-store" });
  const headers: Middleware = {
    onRequest({ request }) {
      if (request.headers.has("Authorization")) return request;
      if (token() === "") request.headers.set("Sallyport-Session", "1");
      else request.headers.set("Authorization", `Bearer ${token()}`);
      return request;
    },
    async onResponse({ response }) {
      if (response.ok) return undefined;
      if (response.status === 401) unauthenticated();
      throw await refusedBy(response);
    },
    onError({ error }) {
      return new Refused(0, { code: "unreachable", title: "The control plane can't be reached", detail: String(error) });
    },
  };
  client.use(headers);
  return client;
}

async function refusedBy(response: Response): Promise<Refused> {
  const problem = await (response.json() as Promise<Partial<Schemas["Problem"]>>).catch(() => ({}));
  return new Refused(response.status, { request_id: response.headers.get("X-Request-Id") ?? "", ...problem });
}

/** took returns what a call answered with; calls that fail throw. */
export function took<T>(answer: { data?: T }): T {
  return answer.data as T;
}
