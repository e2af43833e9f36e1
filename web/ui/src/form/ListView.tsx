import { ActionIcon, Button, Text } from "@mantine/core";
import { Icon } from "../icons";
import { useForm } from "./context";
import classes from "./form.module.css";
import { Frame } from "./frame";
import { FieldView, type FieldProps } from "./FieldView";
import { type Field, type Model, blankOf, fits } from "./model";
import { at, child } from "./pointer";
import { summaryOf } from "./summary";
import { Parts } from "./Form";
import { Errors } from "./frame";

/** ListView shows the entries of a list, each with a way to take it away. A list without entries is no list: it is absent. */
export function ListView({ field, pointer, model }: FieldProps & { model: Extract<Model, { kind: "list" }> }) {
  const { value, change } = useForm();
  const held = at(value, pointer);
  const entries = Array.isArray(held) ? held : [];
  const set = (next: unknown[]) => change(pointer, next.length === 0 ? undefined : next);
  const remove = (index: number) => set(entries.filter((_, i) => i !== index));
  const full = model.most !== undefined && entries.length >= model.most;
  return (
    <Frame field={field} pointer={pointer} group>
      <div className={classes.list}>
        {entries.map((entry, i) => (
          <div key={i} className={model.entry.model.kind === "object" ? classes.card : classes.row}>
            <div className={classes.grow}>
              <Entry field={named(model.entry, `${capital(model.word)} ${i + 1}`)} pointer={child(pointer, i)} entry={entry} />
            </div>
            <ActionIcon
              variant="subtle"
              color="gray"
              className={classes.remove}
              aria-label={`Remove ${model.word} ${i + 1}`}
              data-remove={child(pointer, i)}
              onClick={() => remove(i)}
            >
              <Icon name="close" size={16} />
            </ActionIcon>
          </div>
        ))}
        {entries.length === 0 && field.standard !== undefined && (
          <Text size="sm" className={classes.standard}>Default: {summaryOf(field, field.standard)}</Text>
        )}
        <Button
          variant="default"
          size="compact-sm"
          className={classes.add}
          disabled={full}
          data-add={pointer}
          leftSection={<Icon name="plus" size={14} />}
          onClick={() => change(pointer, [...entries, blankOf(model.entry)])}
        >
          Add {model.word}
        </Button>
      </div>
    </Frame>
  );
}

/** Entry is an entry without a title of its own where it would only say its number again. */
function Entry({ field, pointer, entry }: { field: Field; pointer: string; entry: unknown }) {
  if (field.model.kind === "object" && fits(field.model, entry)) {
    return (
      <div data-pointer={pointer}>
        <Parts parts={field.model.parts()} pointer={pointer} />
        <Errors pointer={pointer} />
      </div>
    );
  }
  return (
    <div className={classes.untitled}>
      <FieldView field={field} pointer={pointer} />
    </div>
  );
}

function named(field: Field, title: string): Field {
  return { ...field, title, help: "" };
}

function capital(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}
