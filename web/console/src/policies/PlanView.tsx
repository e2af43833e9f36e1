import { Alert, Button, Code, Group, Modal, Stack, Table, Text } from "@mantine/core";
import type { Plan, Schemas } from "@sallyport/client";
import { Icon, Tag, type Tone } from "@sallyport/ui";
import { at } from "@sallyport/ui/form";

interface PlanProps {
  plan: Plan;
  saving: boolean;
  onClose: () => void;
  onPublish: () => void;
  verb?: string;
}

/** PlanView shows what a write would change, before it is done. */
export function PlanView({ plan, saving, onClose, onPublish, verb = "Publish" }: PlanProps) {
  const changes = plan.changes ?? [];
  return (
    <Modal opened onClose={onClose} title="What this would change" size="lg" centered closeButtonProps={{ "aria-label": "Close" }}>
      <Stack gap="md">
        {(plan.warnings ?? []).map((warning, i) => (
          <Alert key={i} color="yellow" variant="default" icon={<Icon name="alert" />} title="Is that meant?">{warning}</Alert>
        ))}
        {changes.length === 0 ? <Text>Nothing: everything is as it was.</Text> : changes.map((change, i) => <ChangeView key={i} change={change} />)}
        <Group justify="flex-end" gap="sm">
          <Button variant="default" onClick={onClose}>Back to editing</Button>
          <Button onClick={onPublish} loading={saving} disabled={changes.length === 0} data-autofocus>{verb}</Button>
        </Group>
      </Stack>
    </Modal>
  );
}

const tones: Record<string, Tone> = { create: "good", update: "accent", delete: "bad" };

function ChangeView({ change }: { change: Schemas["Change"] }) {
  return (
    <div data-change={change.action}>
      <Group gap="xs" mb={6}>
        <Tag tone={tones[change.action ?? ""]}>{change.action}</Tag>
        <Text fw={600} size="sm">{change.name}</Text>
        <Text size="sm" c="dimmed">{change.collection}</Text>
      </Group>
      {change.action === "update" ? (
        <Table withTableBorder>
          <Table.Thead>
            <Table.Tr><Table.Th>Field</Table.Th><Table.Th>Before</Table.Th><Table.Th>After</Table.Th></Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {(change.fields ?? []).map((pointer) => (
              <Table.Tr key={pointer}>
                <Table.Td><Code>{pointer}</Code></Table.Td>
                <Table.Td><Shown value={at(change.before, pointer)} /></Table.Td>
                <Table.Td><Shown value={at(change.after, pointer)} /></Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      ) : (
        <Code block>{JSON.stringify(change.after ?? change.before, null, 2)}</Code>
      )}
    </div>
  );
}

function Shown({ value }: { value: unknown }) {
  return value === undefined ? <Text size="sm" c="dimmed">absent</Text> : <Code>{JSON.stringify(value)}</Code>;
}
