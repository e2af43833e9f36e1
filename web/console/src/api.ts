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

export function pageQuery<T>(environment: string, collection: string, query: Record<string, string | number> = {}) {
  return queryOptions({
    queryKey: [environment, collection, "page", query],
    queryFn: async () => fetched<{ data: T[]; next_cursor: string | null }>(pathOf(environment, collection), query),
  });
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
    search: async (collection, text) => {
      const query = { limit: 50, ...(text === "" ? {} : { q: text }) };
      return (await fetched<{ data: Referable[] }>(pathOf(environment, collection), query)).data;
    },
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
