import { ActionIcon, Button, Grid, Group, SegmentedControl, Select, Stack, Switch, Text, TextInput } from "@mantine/core";
import { type ApiKey, type Consumer, type HypotheticalHeader as Header, type HypotheticalRequest, took } from "@sallyport/client";
import { Empty, Icon, Loading, Page, Panel, Problem } from "@sallyport/ui";
import { useMutation, useQuery } from "@tanstack/react-query";
import { useParams } from "@tanstack/react-router";
import { type FormEvent, useState } from "react";
import { api, pageQuery, refusalOf } from "../api";
import { useMay } from "../me";
import { type Caller, callerOf, nobody } from "./caller";
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
  const [caller, setCaller] = useState<Caller>(nobody);
  const [headers, setHeaders] = useState<Header[]>([]);
  const [secure, setSecure] = useState(false);
  const [everyNode, setEveryNode] = useState(false);
  const may = useMay(environment);
  const asking = useMutation({
    mutationFn: async () => took(await api.POST("/api/v1/environments/{environment}/explain", {
      params: { path: { environment }, query: everyNode ? { nodes: "all" } : {} },
      body: request(),
    })),
  });

  const request = (): HypotheticalRequest => ({
    method,
    target,
    ...(host === "" ? {} : { host }),
    ...(secure ? { scheme: "https" as const } : {}),
    ...(address === "" ? {} : { address }),
    ...(headers.length === 0 ? {} : { headers }),
    ...callerOf(caller),
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
                <Switch label="The client speaks TLS (https)" checked={secure} onChange={(e) => setSecure(e.currentTarget.checked)} />
                <CallerView environment={environment} caller={caller} onChange={setCaller} wrong={wrong} />
                <TextInput label="Address of the client" placeholder="192.0.2.1" value={address} onChange={(e) => setAddress(e.currentTarget.value)} error={wrong("/address")} />
                <Headers headers={headers} onChange={setHeaders} />
                <Switch label="Ask every node, and show what they don't agree on" checked={everyNode} onChange={(e) => setEveryNode(e.currentTarget.checked)} />
                <Button type="submit" loading={asking.isPending} disabled={!may("explain.use")}>Explain</Button>
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

interface CallerProps {
  environment: string;
  caller: Caller;
  onChange: (caller: Caller) => void;
  wrong: (pointer: string) => string | undefined;
}

/** CallerView picks whose credential the request is taken to show: nobody has to know a key's text to ask what it would be let do. */
function CallerView({ environment, caller, onChange, wrong }: CallerProps) {
  const keys = useQuery({ ...pageQuery<ApiKey>(environment, "api-keys", { limit: 500 }), enabled: caller.by === "key" });
  const consumers = useQuery({ ...pageQuery<Consumer>(environment, "consumers", { limit: 500 }), enabled: caller.by !== "headers" });
  const consumerOf = (id?: string) => consumers.data?.data.find((c) => c.id === id)?.name;
  return (
    <div role="group" aria-labelledby="caller-label">
      <Text size="sm" fw={550} id="caller-label" mb={6}>Caller</Text>
      <Stack gap="xs">
        <SegmentedControl
          fullWidth
          aria-label="Who calls is told by"
          value={caller.by}
          onChange={(by) => onChange({ ...nobody, by: by as Caller["by"] })}
          data={[{ value: "headers", label: "The headers" }, { value: "key", label: "A stand-in key" }, { value: "consumer", label: "A consumer" }]}
        />
        {caller.by === "key" && (
          <Select
            label="API key"
            description="Taken to be shown, with the scopes, addresses and end that it has."
            placeholder="Search by name"
            data={(keys.data?.data ?? []).map((k) => ({ value: k.id ?? "", label: consumerOf(k.consumer) === undefined ? k.name ?? "" : `${k.name} · ${consumerOf(k.consumer)}` }))}
            value={caller.named}
            onChange={(named) => onChange({ ...caller, named })}
            searchable
            error={wrong("/caller")}
          />
        )}
        {caller.by === "consumer" && (
          <>
            <Select
              label="Consumer"
              description="Taken to have a key with these scopes that never ends."
              placeholder="Search by name"
              data={(consumers.data?.data ?? []).map((c) => ({ value: c.id ?? "", label: c.name ?? "" }))}
              value={caller.named}
              onChange={(named) => onChange({ ...caller, named })}
              searchable
              error={wrong("/caller/consumer") ?? (wrong("/caller/scopes") === undefined ? wrong("/caller") : undefined)}
            />
            <TextInput label="Scopes of that key" placeholder="orders:read orders:write" value={caller.scopes} onChange={(e) => onChange({ ...caller, scopes: e.currentTarget.value })} error={wrong("/caller/scopes")} spellCheck={false} />
          </>
        )}
      </Stack>
    </div>
  );
}

function Headers({ headers, onChange }: { headers: Header[]; onChange: (headers: Header[]) => void }) {
  const set = (index: number, changed: Partial<Header>) => onChange(headers.map((h, i) => (i === index ? { ...h, ...changed } : h)));
  return (
    <div role="group" aria-labelledby="headers-label">
      <Text size="sm" fw={550} id="headers-label" mb={6}>Headers</Text>
      <Stack gap="xs">
        {headers.map((header, i) => (
          <Group key={i} gap="xs" wrap="nowrap">
            <TextInput aria-label={`Name of header ${i + 1}`} placeholder="X-Api-Key" value={header.name ?? ""} onChange={(e) => set(i, { name: e.currentTarget.value })} spellCheck={false} />
            <TextInput aria-label={`Value of header ${i + 1}`} value={header.value ?? ""} onChange={(e) => set(i, { value: e.currentTarget.value })} className={classes.grow} spellCheck={false} autoComplete="off" />
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
