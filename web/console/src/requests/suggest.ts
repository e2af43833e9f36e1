import { type Schemas, took } from "@sallyport/client";
import { api } from "../api";

/** suggest asks for the narrowest exclusions that would let such a request pass, and for what else they would open. Nothing is made unless it is wished. */
export async function suggest(environment: string, wish: Schemas["ExclusionWish"]): Promise<Schemas["SuggestedExclusions"]> {
  return took(await api.POST("/api/v1/environments/{environment}/waf-exclusions/suggest", { params: { path: { environment } }, body: wish }));
}
