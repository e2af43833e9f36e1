import { Button, Group, Modal, Stack, Table, Text } from "@mantine/core";
import { useClipboard } from "@mantine/hooks";
import { type ApiKey, type Consumer, took } from "@sallyport/client";
import { Async, Empty, Icon, Page, Panel, Problem, Tag } from "@sallyport/ui";
import { type Definitions, Errors, type FieldError, Form, Parts, fieldOf, rootOf } from "@sallyport/ui/form";
import { useMutation, useQuery } from "@tanstack/react-query";
import { useParams } from "@tanstack/react-router";
import { type FormEvent, useMemo, useState } from "react";
import { api, documentQuery, inForm, pageQuery, queries, referencesIn, refusalOf } from "../api";
import { useMay } from "../me";
import { timeOf } from "../time";
import { usePages } from "./paging";
import classes from "./pages.module.css";

/** KeysPage lists API keys, and makes new ones. */
export function KeysPage() {
  const { environment } = useParams({ strict: false }) as { environment: string };
  const [making, setMaking] = useState(false);
  const pages = usePages([environment]);
  const page = useQuery(pageQuery<ApiKey>(environment, "api-keys", { limit: 50, ...pages.query }));
  const consumers = useQuery(pageQuery<Consumer>(environment, "consumers", { limit: 500 }));
  const create = useMay(environment)("credentials.write") && <Button leftSection={<Icon name="plus" size={16} />} onClick={() => setMaking(true)}>New key</Button>;
  return (
    <Page title="API keys" lead="What proves who calls. Of a key only its digest is kept: its text is shown once, when it is made." actions={create}>
      <Panel flush>
        <Async query={page} refusalOf={refusalOf}>
          {(found) => found.data.length === 0 ? (
            <Empty icon="keys" title="No keys yet" action={create}>A key belongs to a consumer, and may be used for the scopes that it has.</Empty>
          ) : (
            <>
              <Table.ScrollContainer minWidth={680} scrollAreaProps={{ offsetScrollbars: "present" }}>
                <Table verticalSpacing="sm" horizontalSpacing="lg" className={classes.table}>
                  <Table.Thead>
                    <Table.Tr><Table.Th>Key</Table.Th><Table.Th>Consumer</Table.Th><Table.Th>Scopes</Table.Th><Table.Th>Ends</Table.Th><Table.Th>Last used</Table.Th></Table.Tr>
                  </Table.Thead>
                  <Table.Tbody>
                    {found.data.map((key) => (
                      <Table.Tr key={key.id} data-key-name={key.name}>
                        <Table.Td>
                          <Text size="sm" fw={600}>{key.name}</Text>
                          <Text size="sm" c="dimmed"><code>{key.prefix}…{key.last_four}</code></Text>
                        </Table.Td>
                        <Table.Td><Text size="sm">{consumers.data?.data.find((c) => c.id === key.consumer)?.name ?? key.consumer}</Text></Table.Td>
                        <Table.Td><Group gap={6}>{(key.scopes ?? []).length === 0 ? <Text size="sm" c="dimmed">None</Text> : (key.scopes ?? []).map((s) => <Tag key={s}>{s}</Tag>)}</Group></Table.Td>
                        <Table.Td><Ends at={key.expires_at} /></Table.Td>
                        <Table.Td><Text size="sm" c="dimmed">{key.last_used_at === undefined ? "Never" : timeOf(key.last_used_at)}</Text></Table.Td>
                      </Table.Tr>
                    ))}
                  </Table.Tbody>
                </Table>
              </Table.ScrollContainer>
              <pages.Foot next={found.next_cursor} />
            </>
          )}
        </Async>
      </Panel>
      {making && <NewKey environment={environment} onClose={() => setMaking(false)} />}
    </Page>
  );
}

function Ends({ at }: { at?: string }) {
  if (at === undefined) return <Text size="sm" c="dimmed">Never</Text>;
  if (new Date(at).getTime() <= Date.now()) return <Tag tone="bad">ended {timeOf(at)}</Tag>;
  return <Text size="sm">{timeOf(at)}</Text>;
}

function NewKey({ environment, onClose }: { environment: string; onClose: () => void }) {
  const document = useQuery(documentQuery);
  const [made, setMade] = useState<ApiKey>();
  const end = () => {
    setMade(undefined); // the text is forgotten with the window
    onClose();
  };
  return (
    <Modal
      opened
      onClose={end}
      title={made === undefined ? "New API key" : "The key is made"}
      size="lg"
      centered
      closeOnClickOutside={made === undefined}
      closeButtonProps={{ "aria-label": "Close" }}
    >
      {made !== undefined ? <MadeKey made={made} onClose={end} /> : (
        <Async query={document} refusalOf={refusalOf} rows={3}>
          {(definitions) => <KeyForm environment={environment} definitions={definitions as Definitions} onMade={setMade} onClose={end} />}
        </Async>
      )}
    </Modal>
  );
}

interface KeyFormProps {
  environment: string;
  definitions: Definitions;
  onMade: (made: ApiKey) => void;
  onClose: () => void;
}

const none: FieldError[] = [];

/** What is asked first; the rest of what a key may have is folded away. */
const first = ["consumer", "name", "scopes", "expires_at"];

/** KeyForm is drawn from the key's schema, as the form of a policy is from its kind's. */
function KeyForm({ environment, definitions, onMade, onClose }: KeyFormProps) {
  const [value, setValue] = useState<unknown>({});
  const root = useMemo(() => {
    const schema = definitions.ApiKey ?? {};
    const properties = Object.fromEntries(Object.entries(schema.properties ?? {}).map(([name, property]) => {
      const place = first.indexOf(name);
      return [name, { ...property, "x-advanced": place < 0, "x-order": place < 0 ? 100 + (property["x-order"] ?? 0) : place }];
    }));
    return { ...rootOf({ ...schema, properties }, definitions), title: fieldOf("", schema, definitions, true).title };
  }, [definitions]);
  const may = useMay(environment);
  const references = useMemo(() => referencesIn(environment), [environment]);
  const making = useMutation({
    mutationFn: async () => took(await api.POST("/api/v1/environments/{environment}/api-keys", { params: { path: { environment } }, body: value as ApiKey })) as ApiKey,
    onSuccess: async (made) => {
      onMade(made);
      await queries.invalidateQueries({ queryKey: [environment, "api-keys"] });
    },
    gcTime: 0, // the answer holds the key: it isn't kept
  });
  const refusal = useMemo(() => (making.error === null ? undefined : refusalOf(making.error)), [making.error]);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    making.mutate();
  };
  return (
    <form onSubmit={submit} noValidate>
      <Form root={root} value={value} onChange={setValue} errors={refusal?.errors ?? none} references={references} may={may}>
        <Stack gap="lg">
          {refusal !== undefined && <Problem refusal={inForm(refusal)}><Errors pointer="" /></Problem>}
          <Parts parts={root.model.kind === "object" ? root.model.parts() : []} pointer="" />
          <Group justify="flex-end" gap="sm">
            <Button variant="default" onClick={onClose}>Cancel</Button>
            <Button type="submit" loading={making.isPending}>Create key</Button>
          </Group>
        </Stack>
      </Form>
    </form>
  );
}

function MadeKey({ made, onClose }: { made: ApiKey; onClose: () => void }) {
  const clipboard = useClipboard({ timeout: 3000 });
  return (
    <Stack gap="md">
      <Text>Copy it now and keep it as a secret. <strong>It is shown this once</strong>: nobody can look it up again, here or in the database.</Text>
      <div className={classes.shown}>
        <code data-made-key>{made.key}</code>
        <Button
          size="compact-sm"
          variant="default"
          leftSection={<Icon name={clipboard.copied ? "check" : "copy"} size={14} />}
          onClick={() => clipboard.copy(made.key)}
        >
          {clipboard.copied ? "Copied" : "Copy"}
        </Button>
      </div>
      <Text size="sm" c="dimmed">Later it is known by its beginning, <code>{made.prefix}</code>, and its end, <code>{made.last_four}</code>.</Text>
      <Group justify="flex-end"><Button onClick={onClose}>I have it</Button></Group>
    </Stack>
  );
}
