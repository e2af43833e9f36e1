import { Button, Group, Modal, Stack } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import type { Policy } from "@sallyport/client";
import { Loading, Problem } from "@sallyport/ui";
import { useMutation, useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { queries, refusalOf } from "../api";
import { PlanView } from "./PlanView";
import { remove } from "./save";

interface DeleteProps {
  environment: string;
  policy: Policy;
  etag: string;
  onClose: () => void;
}

/** DeletePolicy shows what a deletion would do, or why it is refused: a route that it would leave bare, say. */
export function DeletePolicy({ environment, policy, etag, onClose }: DeleteProps) {
  const navigate = useNavigate();
  const key = policy.id ?? "";
  const plan = useQuery({ queryKey: [environment, "policies", "delete", key, etag], queryFn: () => remove(environment, key, etag, true), gcTime: 0, staleTime: 0, retry: false });
  const deletion = useMutation({
    mutationFn: () => remove(environment, key, etag, false),
    onSuccess: async () => {
      await navigate({ to: "/environments/$environment/policies", params: { environment } });
      await queries.invalidateQueries({ queryKey: [environment] });
      notifications.show({ title: "The policy is deleted", message: policy.name });
    },
  });
  const failure = deletion.error ?? plan.error;
  if (failure === null && plan.data !== undefined) {
    return <PlanView plan={plan.data} verb="Delete" saving={deletion.isPending} onClose={onClose} onPublish={() => deletion.mutate()} />;
  }
  const refusal = failure === null ? undefined : refusalOf(failure);
  return (
    <Modal opened onClose={onClose} title={`Delete ${policy.name ?? ""}`} centered closeButtonProps={{ "aria-label": "Close" }}>
      <Stack gap="md">
        {refusal === undefined ? <Loading rows={2} /> : (
          <Problem refusal={refusal}>
            {refusal.errors.map((error, i) => <div key={i}>{error.detail}</div>)}
          </Problem>
        )}
        <Group justify="flex-end"><Button variant="default" onClick={onClose}>Close</Button></Group>
      </Stack>
    </Modal>
  );
}
