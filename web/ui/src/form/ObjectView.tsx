import { Button } from "@mantine/core";
import { Icon } from "../icons";
import { useForm } from "./context";
import { Parts } from "./Form";
import classes from "./form.module.css";
import { Frame } from "./frame";
import type { FieldProps } from "./FieldView";
import { type Model, blankOf, lowered } from "./model";
import { at } from "./pointer";

/** ObjectView shows an object in its field. One that needn't be there is added and taken away as a whole: given and empty says something
 * else than absent. */
export function ObjectView({ field, pointer, model }: FieldProps & { model: Extract<Model, { kind: "object" }> }) {
  const { value, change } = useForm();
  const there = at(value, pointer) !== undefined;
  if (!there && !field.required) {
    return (
      <Frame field={field} pointer={pointer} group>
        <Button
          variant="default"
          size="compact-sm"
          data-add={pointer}
          leftSection={<Icon name="plus" size={14} />}
          onClick={() => change(pointer, blankOf(field))}
        >
          Configure {lowered(field.title)}
        </Button>
      </Frame>
    );
  }
  const remove = field.required ? undefined : (
    <Button variant="subtle" size="compact-sm" data-remove={pointer} onClick={() => change(pointer, undefined)}>
      Remove
    </Button>
  );
  return (
    <Frame field={field} pointer={pointer} group aside={remove}>
      <div className={classes.nested}>
        <Parts parts={model.parts()} pointer={pointer} />
      </div>
    </Frame>
  );
}
