import { Async, Page } from "@sallyport/ui";
import { useQuery } from "@tanstack/react-query";
import { useParams } from "@tanstack/react-router";
import { documentQuery, kindsQuery, refusalOf } from "../api";
import { LostPage } from "../pages/LostPage";
import { Back } from "./Back";
import { PolicyEditor } from "./PolicyEditor";

export function NewPolicyPage() {
  const { environment, kind: name } = useParams({ strict: false }) as { environment: string; kind: string };
  const kinds = useQuery(kindsQuery);
  const document = useQuery(documentQuery);
  const kind = kinds.data?.find((k) => k.name === name);
  if (kinds.data !== undefined && kind === undefined) return <LostPage />;
  return (
    <Page title={`New policy: ${kind?.title ?? name}`} lead={kind?.description} back={<Back environment={environment} />}>
      <Async query={kinds.data === undefined ? { ...kinds, data: undefined } : document} refusalOf={refusalOf}>
        {(definitions) => kind !== undefined && (
          <PolicyEditor environment={environment} kind={kind} definitions={definitions as Parameters<typeof PolicyEditor>[0]["definitions"]} initial={{ kind: kind.name, config: {} }} />
        )}
      </Async>
    </Page>
  );
}
