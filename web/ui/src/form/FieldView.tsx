import { Button, Code, Group, Text } from "@mantine/core";
import { useForm, useWithheld } from "./context";
import { Frame } from "./frame";
import { BooleanInput, ChoiceInput, DurationInput, JSONInput, NumberInput, TextInput, TimeInput } from "./inputs";
import { ListView } from "./ListView";
import { MapView } from "./MapView";
import { type Field, fits } from "./model";
import { ObjectView } from "./ObjectView";
import { type Pointer, at } from "./pointer";
import { ReferenceInput } from "./ReferenceInput";

export interface FieldProps {
  field: Field;
  pointer: Pointer;
}

/** FieldView shows a field by what its model says it holds. */
export function FieldView({ field, pointer }: FieldProps) {
  const { value } = useForm();
  const withheld = useWithheld(field);
  if (withheld) return <Withheld field={field} pointer={pointer} />;
  if (!fits(field.model, at(value, pointer))) return <Unreadable field={field} pointer={pointer} />;
  switch (field.model.kind) {
    case "text":
      return <TextInput field={field} pointer={pointer} model={field.model} />;
    case "number":
      return <NumberInput field={field} pointer={pointer} model={field.model} />;
    case "boolean":
      return <BooleanInput field={field} pointer={pointer} model={field.model} />;
    case "choice":
      return <ChoiceInput field={field} pointer={pointer} model={field.model} />;
    case "duration":
      return <DurationInput field={field} pointer={pointer} model={field.model} />;
    case "time":
      return <TimeInput field={field} pointer={pointer} />;
    case "reference":
      return <ReferenceInput field={field} pointer={pointer} model={field.model} />;
    case "list":
      return <ListView field={field} pointer={pointer} model={field.model} />;
    case "map":
      return <MapView field={field} pointer={pointer} model={field.model} />;
    case "object":
      return <ObjectView field={field} pointer={pointer} model={field.model} />;
    case "json":
      return <JSONInput field={field} pointer={pointer} model={field.model} />;
  }
}

/** Withheld shows a value to whom the API would refuse to change it. */
function Withheld({ field, pointer }: FieldProps) {
  const { value } = useForm();
  const held = at(value, pointer);
  return (
    <Frame field={field} pointer={pointer} group>
      {held === undefined || field.secret
        ? <Text size="sm" c="dimmed">{held === undefined ? "Not set" : "Set"}</Text>
        : <Code block tabIndex={0}>{typeof held === "string" ? held : JSON.stringify(held, null, 2)}</Code>}
    </Frame>
  );
}

/** Unreadable shows a value of another shape than its field's, as somebody wrote it in JSON. */
function Unreadable({ field, pointer }: FieldProps) {
  const { value, change } = useForm();
  return (
    <Frame field={field} pointer={pointer} group>
      <Group gap="sm">
        <Code>{JSON.stringify(at(value, pointer))}</Code>
        <Button size="compact-sm" variant="default" onClick={() => change(pointer, undefined)}>Clear</Button>
      </Group>
    </Frame>
  );
}
