import { ActionIcon, Button, Grid, Group, Select, Stack, Switch, Text, TextInput } from "@mantine/core";
import type { Consumer } from "@sallyport/client";
import { Empty, Icon, Loading, Page, Panel, Problem } from "@sallyport/ui";
import { useMutation, useQuery } from "@tanstack/react-query";
import { useParams } from "@tanstack/react-router";
import { type FormEvent, useState } from "react";
import { pageQuery, refusalOf } from "../api";
import { type Header, type HypotheticalRequest, explain } from "./contract";
import classes from "./explain.module.css";
import { ExplanationView } from "./ExplanationView";

const methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

/** ExplainPage asks nodes what they would do with a request that nobody sends. */
export function ExplainPage() {
  const { environment } = useParams({ strict: false }) as { environment: string };
  const [method, setMethod] = useState("GET");
  const [host, setHost] = useState("");
  const [target, setTarget] = useState("/");
  const [address, setAddress] = useState("");
  const [consumer, setConsumer] = useState<string | null>(null);
  const [scopes, setScopes] = useState("");
  const [headers, setHeaders] = useState<Header[]>([]);
  const [everyNode, setEveryNode] = useState(false);
  const consumers = useQuery(pageQuery<Consumer>(environment, "consumers", { limit: 500 }));
  const asking = useMutation({ mutationFn: () => explain(environment, request(), everyNode) });

  const request = (): HypotheticalRequest => ({
    method,
    target,
    ...(host === "" ? {} : { host }),
    ...(address === "" ? {} : { address }),
    ...(headers.length === 0 ? {} : { headers }),
    ...(consumer === null ? {} : { caller: { consumer, ...(words(scopes).length === 0 ? {} : { scopes: words(scopes) }) } }),
  });
  const refusal = asking.error === null ? undefined : refusalOf(asking.error);
  const wrong = (pointer: string) => refusal?.errors.find((e) => e.pointer === pointer || e.pointer.startsWith(`${pointer}/`))?.detail;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    asking.mutate();
  };

  return (
    <Page title="Explain a request" lead="A node takes it through the code that serves, with what it holds now, and says what it would do and why. Nothing is counted or spent, and no service is asked.">
      <Grid gap="md">
        <Grid.Col span={{ base: 12, md: 5 }}>
          <Panel title="The request">
            <form onSubmit={submit} noValidate>
              <Stack gap="md">
                <Group gap="sm" align="flex-start" wrap="nowrap">
                  <Select label="Method" data={methods} value={method} allowDeselect={false} onChange={(m) => setMethod(m ?? "GET")} w={124} error={wrong("/method")} />
                  <TextInput label="Path and query" value={target} onChange={(e) => setTarget(e.currentTarget.value)} error={wrong("/target")} className={classes.grow} required spellCheck={false} />
                </Group>
                <TextInput label="Host" placeholder="api.example.com" value={host} onChange={(e) => setHost(e.currentTarget.value)} error={wrong("/host")} spellCheck={false} />
                <Select
                  label="Caller"
                  description="Taken to have a valid key. Without one, the headers say who calls."
                  placeholder="Nobody is taken for granted"
                  data={(consumers.data?.data ?? []).map((c) => ({ value: c.id ?? "", label: c.name ?? "" }))}
                  value={consumer}
                  onChange={setConsumer}
                  searchable
                  clearable
                  error={wrong("/caller")}
                />
                {consumer !== null && (
                  <TextInput label="Scopes of that key" placeholder="orders:read orders:write" value={scopes} onChange={(e) => setScopes(e.currentTarget.value)} error={wrong("/caller/scopes")} spellCheck={false} />
                )}
                <TextInput label="Address of the client" placeholder="192.0.2.1" value={address} onChange={(e) => setAddress(e.currentTarget.value)} error={wrong("/address")} />
                <Headers headers={headers} onChange={setHeaders} />
                <Switch label="Ask every node, and show what they don't agree on" checked={everyNode} onChange={(e) => setEveryNode(e.currentTarget.checked)} />
                <Button type="submit" loading={asking.isPending}>Explain</Button>
              </Stack>
            </form>
          </Panel>
        </Grid.Col>
        <Grid.Col span={{ base: 12, md: 7 }}>
          <Stack gap="md" aria-live="polite">
            {refusal !== undefined && <Problem refusal={refusal} />}
            {asking.isPending && <Panel><Loading rows={4} /></Panel>}
            {asking.data !== undefined && !asking.isPending && <ExplanationView environment={environment} answers={asking.data} />}
            {asking.status === "idle" && (
              <Panel>
                <Empty icon="explain" title="Nothing is asked yet">Describe a request: the answer shows the route that it finds, why the nearest others aren't found, and what each policy says.</Empty>
              </Panel>
            )}
          </Stack>
        </Grid.Col>
      </Grid>
    </Page>
  );
}

function words(text: string): string[] {
  return text.split(/[\s,]+/).filter((word) => word !== "");
}

function Headers({ headers, onChange }: { headers: Header[]; onChange: (headers: Header[]) => void }) {
  const set = (index: number, changed: Partial<Header>) => onChange(headers.map((h, i) => (i === index ? { ...h, ...changed } : h)));
  return (
    <div role="group" aria-labelledby="headers-label">
      <Text size="sm" fw={550} id="headers-label" mb={6}>Headers</Text>
      <Stack gap="xs">
        {headers.map((header, i) => (
          <Group key={i} gap="xs" wrap="nowrap">
            <TextInput aria-label={`Name of header ${i + 1}`} placeholder="X-Api-Key" value={header.name} onChange={(e) => set(i, { name: e.currentTarget.value })} spellCheck={false} />
            <TextInput aria-label={`Value of header ${i + 1}`} value={header.value} onChange={(e) => set(i, { value: e.currentTarget.value })} className={classes.grow} spellCheck={false} autoComplete="off" />
            <ActionIcon variant="subtle" color="gray" aria-label={`Remove header ${i + 1}`} onClick={() => onChange(headers.filter((_, at) => at !== i))}>
              <Icon name="close" size={16} />
            </ActionIcon>
          </Group>
        ))}
        <Button variant="default" size="compact-sm" leftSection={<Icon name="plus" size={14} />} className={classes.add} onClick={() => onChange([...headers, { name: "", value: "" }])}>Add header</Button>
      </Stack>
    </div>
  );
}
