import { Alert, Button, Code, Group, Modal, Stack, Table, Text } from "@mantine/core";
import type { Effect, Plan, Schemas } from "@sallyport/client";
import { Icon, Tag, type Tone } from "@sallyport/ui";
import { at } from "@sallyport/ui/form";
import classes from "./policies.module.css";

interface PlanProps {
  plan: Plan;
  saving: boolean;
  onClose: () => void;
  onPublish: () => void;
  verb?: string;
}

/** PlanView shows what a write would do before it is done: what it means for callers first, then which fields it changes. */
export function PlanView({ plan, saving, onClose, onPublish, verb = "Publish" }: PlanProps) {
  const changes = plan.changes ?? [];
  const effects = plan.effects ?? [];
  return (
    <Modal opened onClose={onClose} title="What this would change" size="lg" centered closeButtonProps={{ "aria-label": "Close" }}>
      <Stack gap="md">
        {(plan.warnings ?? []).map((warning, i) => (
          <Alert key={i} color="yellow" variant="default" icon={<Icon name="alert" />} title="Is that meant?">{warning}</Alert>
        ))}
        {effects.length > 0 && (
          <section aria-label="What it means for callers">
            <Text component="h3" fw={620} size="sm" mb={6}>What it means for callers</Text>
            <ul className={classes.effects}>
              {effects.map((effect, i) => <EffectView key={i} effect={effect} />)}
            </ul>
          </section>
        )}
        {effects.length > 0 && changes.length > 0 && <Text component="h3" fw={620} size="sm" mb={-8}>What it changes</Text>}
        {changes.length === 0 ? <Text>Nothing: everything is as it was.</Text> : changes.map((change, i) => <ChangeView key={i} change={change} />)}
        <Group justify="flex-end" gap="sm">
          <Button variant="default" onClick={onClose}>Back to editing</Button>
          <Button onClick={onPublish} loading={saving} disabled={changes.length === 0} data-autofocus>{verb}</Button>
        </Group>
      </Stack>
    </Modal>
  );
}

const severities: Record<string, { tone: Tone; words: string }> = {
  danger: { tone: "bad", words: "danger" },
  attention: { tone: "warn", words: "attention" },
  info: { tone: "calm", words: "info" },
};

/** EffectView is one thing that callers would notice, and on which routes. */
function EffectView({ effect }: { effect: Effect }) {
  const severity = severities[effect.severity ?? ""] ?? { tone: "calm", words: effect.severity ?? "" };
  const routes = effect.routes ?? [];
  const more = (effect.count ?? 0) - routes.length;
  return (
    <li className={classes.effect} data-effect={effect.code} data-severity={effect.severity}>
      <Tag tone={severity.tone}>{severity.words}</Tag>
      <div>
        <Text size="sm">{effect.sentence}</Text>
        {routes.length > 0 && (
          <Group gap={6} mt={4} aria-label="Routes that it concerns" role="group">
            {routes.map((route) => <span key={route.id} className={classes.route} data-affected={route.name}>{route.name}</span>)}
            {more > 0 && <Text size="sm" c="dimmed">and {more} more</Text>}
          </Group>
        )}
      </div>
    </li>
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
