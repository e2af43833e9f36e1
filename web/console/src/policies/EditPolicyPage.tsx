import { Button } from "@mantine/core";
import { type Policy, took } from "@sallyport/client";
import { Async, Page } from "@sallyport/ui";
import type { Definitions } from "@sallyport/ui/form";
import { useQuery } from "@tanstack/react-query";
import { useParams } from "@tanstack/react-router";
import { useState } from "react";
import { api, documentQuery, kindsQuery, refusalOf } from "../api";
import { useMay } from "../me";
import { Back } from "./Back";
import { DeletePolicy } from "./DeletePolicy";
import { PolicyEditor } from "./PolicyEditor";
import { KindName } from "./words";

/** EditPolicyPage edits a policy as it was when it was opened: nothing that is typed is overwritten by what others do meanwhile. A save
 * on top of their changes is refused (412), and then it is up to whoever edits to load theirs. */
export function EditPolicyPage() {
  const { environment, key } = useParams({ strict: false }) as { environment: string; key: string };
  const [deleting, setDeleting] = useState(false);
  const mayWrite = useMay(environment)("configuration.write");
  const kinds = useQuery(kindsQuery);
  const document = useQuery(documentQuery);
  const policy = useQuery({
    queryKey: [environment, "policies", "edit", key],
    queryFn: async () => {
      const answer = await api.GET("/api/v1/environments/{environment}/policies/{key}", { params: { path: { environment, key } } });
      return { policy: took(answer) as Policy, etag: answer.response.headers.get("ETag") ?? "" };
    },
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: 0,
    refetchOnMount: "always",
  });
  const failed = [policy, kinds, document].find((q) => q.error !== null);
  const ready = policy.data !== undefined && kinds.data !== undefined && document.data !== undefined && !(policy.isFetching && policy.isStale);
  const query = {
    data: ready ? { opened: policy.data, kinds: kinds.data, definitions: document.data as Definitions } : undefined,
    error: failed?.error ?? null,
    isPending: failed === undefined,
    refetch: () => void (failed ?? policy).refetch(),
  };
  return (
    <Page
      title={policy.data?.policy.name ?? key}
      lead={policy.data === undefined ? undefined : <KindName kind={policy.data.policy.kind ?? ""} />}
      back={<Back environment={environment} />}
      actions={policy.data !== undefined && mayWrite && <Button variant="default" onClick={() => setDeleting(true)}>Delete …</Button>}
    >
      <Async query={query} refusalOf={refusalOf}>
        {({ opened, kinds: all, definitions }) => {
          const kind = all.find((k) => k.name === opened.policy.kind);
          return kind !== undefined && (
            <>
              <PolicyEditor key={opened.etag} environment={environment} kind={kind} definitions={definitions} initial={opened.policy} etag={opened.etag} reload={() => void policy.refetch()} />
              {deleting && <DeletePolicy environment={environment} policy={opened.policy} etag={opened.etag} onClose={() => setDeleting(false)} />}
            </>
          );
        }}
      </Async>
    </Page>
  );
}
