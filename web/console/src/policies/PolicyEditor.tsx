import { Button, Grid, Group, SegmentedControl, Stack, Textarea } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import type { PolicyKind } from "@sallyport/client";
import { Icon, Panel, Problem, Tag } from "@sallyport/ui";
import { type Definitions, Errors, type FieldError, Form, type Part, Parts, rootOf } from "@sallyport/ui/form";
import { useMutation } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useMemo, useState } from "react";
import { inForm, queries, referencesIn, refusalOf, schemaOf } from "../api";
import { useMay } from "../me";
import { PlanView } from "./PlanView";
import { planOf, save } from "./save";

interface EditorProps {
  environment: string;
  kind: PolicyKind;
  definitions: Definitions;
  initial: object;
  /** Of the policy as it was opened; absent: it is new. */
  etag?: string;
  reload?: () => void;
}

/** PolicyEditor edits a policy of any kind by the schemas that the API serves. What is saved was shown first: what it would change. */
export function PolicyEditor({ environment, kind, definitions, initial, etag, reload }: EditorProps) {
  const navigate = useNavigate();
  const may = useMay(environment);
  const mayWrite = may("configuration.write");
  const [value, setValue] = useState<unknown>(initial);
  const [view, setView] = useState("form");
  const [text, setText] = useState("");
  const [unreadable, setUnreadable] = useState("");
  const root = useMemo(() => {
    const { schema, definitions: all } = schemaOf(kind, definitions);
    return rootOf(schema, all);
  }, [kind, definitions]);
  const references = useMemo(() => referencesIn(environment), [environment]);

  const plan = useMutation({ mutationFn: () => planOf(environment, initial, value, etag) });
  const saving = useMutation({
    mutationFn: () => save(environment, initial, value, etag),
    onSuccess: async (revision) => {
      await queries.invalidateQueries({ queryKey: [environment] });
      notifications.show({ title: "The policy is published", message: revision === "" ? "Nothing had changed." : `Revision ${revision} is on its way to the nodes.` });
      await navigate({ to: "/environments/$environment/policies", params: { environment } });
    },
  });
  const failure = saving.error ?? plan.error;
  const refusal = useMemo(() => (failure === null ? undefined : refusalOf(failure)), [failure]);

  const choose = (next: string) => {
    if (next === "json") setText(JSON.stringify(value, null, 2));
    else if (unreadable !== "") return;
    setView(next);
  };
  const write = (next: string) => {
    setText(next);
    try {
      setValue(JSON.parse(next));
      setUnreadable("");
    } catch (error) {
      setUnreadable(error instanceof Error ? error.message : String(error));
    }
  };
  const review = () => {
    saving.reset();
    plan.mutate();
  };

  return (
    <Form root={root} value={value} onChange={setValue} errors={refusal?.errors ?? none} references={references} may={may}>
      {refusal !== undefined && (
        <Problem refusal={inForm(refusal)}>
          {refusal.errors.length > 0 && <Errors pointer="" />}
          {refusal.status === 412 && reload !== undefined && (
            <Button size="compact-sm" variant="default" mt="xs" onClick={reload}>Discard mine and load theirs</Button>
          )}
        </Problem>
      )}
      <Group justify="space-between" my="md">
        <SegmentedControl
          aria-label="How to edit"
          value={view}
          data={[{ value: "form", label: "Form" }, { value: "json", label: "JSON" }]}
          onChange={choose}
        />
        {mayWrite
          ? <Button onClick={review} loading={plan.isPending} disabled={unreadable !== ""}>Review and publish</Button>
          : <Tag title="Your roles here don't have the permission configuration.write"><Icon name="lock" size={12} />You may look at it</Tag>}
      </Group>
      {view === "json" ? (
        <Panel>
          <Textarea
            label="The policy, as the API has it"
            value={text}
            onChange={(e) => write(e.currentTarget.value)}
            error={unreadable}
            autosize
            minRows={16}
            maxRows={40}
            spellCheck={false}
            styles={{ input: { fontFamily: "var(--mantine-font-family-monospace)" } }}
          />
        </Panel>
      ) : (
        <Sections root={root} />
      )}
      {plan.data !== undefined && (
        <PlanView
          plan={plan.data}
          saving={saving.isPending}
          onClose={plan.reset}
          onPublish={() => saving.mutate(undefined, { onError: () => plan.reset() })}
        />
      )}
    </Form>
  );
}

const none: FieldError[] = [];

/** What stands beside the configuration; whatever else a policy has goes with the behaviour, and so is never left out. */
const about = ["name", "description", "labels", "team"];
const fixed = ["kind", "config", "attached_to"];

function Sections({ root }: { root: ReturnType<typeof rootOf> }) {
  const parts = root.model.kind === "object" ? root.model.parts() : [];
  const nameOf = (part: Part) => (part.type === "field" ? part.field.name : part.oneof.name);
  const named = (...names: string[]) => names.flatMap((name) => parts.filter((part) => nameOf(part) === name));
  const config = parts.find((part) => nameOf(part) === "config");
  const inside = config?.type === "field" && config.field.model.kind === "object" ? config.field.model.parts() : [];
  return (
    <Grid gap="md">
      <Grid.Col span={{ base: 12, md: 7.5 }}>
        <Stack gap="md">
          <Panel title="Configuration">
            <div data-pointer="/config">
              <Parts parts={inside} pointer="/config" />
              <Errors pointer="/config" />
            </div>
          </Panel>
          <Panel title="Where it applies" lead="Every route of the environment, those of a service, single routes, or what single consumers send.">
            <Parts parts={named("attached_to")} pointer="" />
          </Panel>
        </Stack>
      </Grid.Col>
      <Grid.Col span={{ base: 12, md: 4.5 }}>
        <Stack gap="md">
          <Panel title="About it">
            <Parts parts={named(...about)} pointer="" />
          </Panel>
          <Panel title="How it applies">
            <Parts parts={parts.filter((part) => ![...about, ...fixed].includes(nameOf(part)))} pointer="" />
          </Panel>
        </Stack>
      </Grid.Col>
    </Grid>
  );
}
