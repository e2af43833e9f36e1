import { type PolicyKind, Refused, type Schemas, createClient, took } from "@sallyport/client";
import type { Refusal } from "@sallyport/ui";
import { type Definitions, type Referable, type References, type Schema, isObject } from "@sallyport/ui/form";
import { QueryClient, queryOptions } from "@tanstack/react-query";
import { session } from "./session";

export const api = createClient(session.token, () => {
  session.end();
  queries.clear();
});

export const queries = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 5_000,
      retry: (failures, error) => failures < 2 && error instanceof Refused && (error.status === 0 || error.status >= 502),
    },
  },
});

/** refusalOf is what can be shown of an error. */
export function refusalOf(error: unknown): Refusal {
  const problem: Partial<Schemas["Problem"]> = error instanceof Refused ? error.problem : {};
  return {
    title: problem.title ?? "Something went wrong",
    detail: problem.detail ?? (error instanceof Refused ? "" : String(error)),
    code: problem.code ?? "unknown",
    requestID: problem.request_id ?? "",
    type: problem.type ?? "",
    status: error instanceof Refused ? error.status : 0,
    errors: (problem.errors ?? []).map((e) => ({ pointer: e.pointer ?? "", code: e.code ?? "", detail: e.detail ?? "", given: e.given, allowed: e.allowed })),
  };
}

/** inForm is a refusal above a form whose fields say themselves what is wrong with them. What isn't about what was typed, such as a broken
 * guardrail, says so itself. */
export function inForm(refusal: Refusal): Refusal {
  const wrong = refusal.errors.length;
  if (wrong === 0 || refusal.status !== 400) return refusal;
  return { ...refusal, detail: wrong === 1 ? "One field is wrong: what it takes is said below it." : `${wrong} fields are wrong: what each takes is said below it.` };
}

const forLong = { staleTime: 10 * 60_000 };

export const environmentsQuery = queryOptions({
  queryKey: ["environments"],
  queryFn: async () => took(await api.GET("/api/v1/environments", { params: { query: { limit: 500 } } })).data,
});

export const kindsQuery = queryOptions({
  queryKey: ["policy-kinds"],
  queryFn: async () => took(await api.GET("/api/v1/policy-kinds")).data as PolicyKind[],
  ...forLong,
});

/** What the API's own document says of the bodies that no kind describes: a policy's other fields, a key's. */
export const documentQuery = queryOptions({
  queryKey: ["openapi"],
  queryFn: async () => {
    const document: unknown = took(await api.GET("/api/v1/openapi.json"));
    const components = isObject(document) && isObject(document.components) ? document.components.schemas : undefined;
    return (components ?? {}) as Definitions;
  },
  ...forLong,
});

interface Listed<T> {
  data: T[];
  next_cursor: string | null;
}

export function pageQuery<T>(environment: string, collection: string, query: Record<string, string | number> = {}) {
  return queryOptions({
    queryKey: [environment, collection, "page", query],
    queryFn: async () => fetched<Listed<T>>(pathOf(environment, collection), query),
  });
}

/** foundQuery is a page of a list or, for a text, what has it in its name. */
export function foundQuery<T extends Named>(environment: string, collection: string, text: string, query: Record<string, string | number>) {
  return queryOptions({
    queryKey: [environment, collection, "found", text, query],
    queryFn: async () => (text === "" ? fetched<Listed<T>>(pathOf(environment, collection), query) : { data: await search<T>(environment, collection, text), next_cursor: null }),
  });
}

interface Named {
  name?: string;
}

const mostSearched = 500;

/** The API finds names that are equal. Parts of names are looked for here, among the first that there are; an equal one is found anywhere. */
async function search<T extends Named>(environment: string, collection: string, text: string): Promise<T[]> {
  const path = pathOf(environment, collection);
  const page = await fetched<Listed<T>>(path, { limit: mostSearched });
  const found = page.data.filter((o) => (o.name ?? "").includes(text.toLowerCase()));
  if (page.next_cursor === null || found.some((o) => o.name === text)) return found;
  return [...(await fetched<Listed<T>>(path, { "filter[name]": text })).data, ...found];
}

/** pathOf is for collections that only the data names, as references do; where the path is known the typed client is used. */
function pathOf(environment: string, collection: string, key?: string): string {
  const path = `/api/v1/environments/${encodeURIComponent(environment)}/${encodeURIComponent(collection)}`;
  return key === undefined ? path : `${path}/${encodeURIComponent(key)}`;
}

async function fetched<T>(path: string, query: Record<string, string | number> = {}): Promise<T> {
  const get = api.GET as unknown as (path: string, options: object) => Promise<{ data?: T }>;
  return took(await get(path, { params: { query } }));
}

/** referencesIn finds what references can name in an environment. */
export function referencesIn(environment: string): References {
  return {
    search: (collection, text) => search<Referable>(environment, collection, text),
    find: async (collection, key) => {
      try {
        return await fetched<Referable>(pathOf(environment, collection, key));
      } catch (error) {
        if (error instanceof Refused && (error.status === 404 || error.status === 400)) return undefined;
        throw error;
      }
    },
  };
}

/** schemaOf is a policy's schema with its kind's where its configuration stands. */
export function schemaOf(kind: PolicyKind, definitions: Definitions): { schema: Schema; definitions: Definitions } {
  const policy = definitions.Policy ?? {};
  const config = kind.schema as Schema;
  const { type: _, ...place } = policy.properties?.config ?? {};
  return {
    schema: { ...policy, properties: { ...policy.properties, config: { ...config, ...place, type: "object" } } },
    definitions: { ...definitions, ...config.$defs },
  };
}
