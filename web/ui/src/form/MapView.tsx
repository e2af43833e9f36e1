import { ActionIcon, Button, TextInput } from "@mantine/core";
import { useEffect, useState } from "react";
import { Icon } from "../icons";
import { useForm } from "./context";
import classes from "./form.module.css";
import { FieldView, type FieldProps } from "./FieldView";
import { Frame } from "./frame";
import { type Model, blankOf, isObject } from "./model";
import { type Pointer, at, child, renamed } from "./pointer";

/** MapView shows names and their values. A map without any is absent. */
export function MapView({ field, pointer, model }: FieldProps & { model: Extract<Model, { kind: "map" }> }) {
  const { value, change } = useForm();
  const held = at(value, pointer);
  const map = isObject(held) ? held : {};
  const names = Object.keys(map);
  const full = names.includes("") || (model.most !== undefined && names.length >= model.most);
  const remove = (name: string) => {
    const { [name]: _, ...others } = map;
    change(pointer, Object.keys(others).length === 0 ? undefined : others);
  };
  return (
    <Frame field={field} pointer={pointer} group>
      <div className={classes.list}>
        {names.map((name, i) => (
          <div key={i} className={classes.row}>
            <Name
              title={model.keyTitle}
              pointer={pointer}
              name={name}
              taken={(next) => names.includes(next)}
              onChange={(next) => change(pointer, renamed(map, name, next))}
            />
            <div className={classes.grow}>
              <FieldView field={{ ...model.entry, help: "" }} pointer={child(pointer, name)} />
            </div>
            <ActionIcon
              variant="subtle"
              color="gray"
              className={classes.removeBeside}
              aria-label={`Remove ${name === "" ? model.word : name}`}
              data-remove={child(pointer, name)}
              onClick={() => remove(name)}
            >
              <Icon name="close" size={16} />
            </ActionIcon>
          </div>
        ))}
        <Button
          variant="default"
          size="compact-sm"
          className={classes.add}
          disabled={full}
          data-add={pointer}
          leftSection={<Icon name="plus" size={14} />}
          onClick={() => change(pointer, { ...map, "": blankOf(model.entry) })}
        >
          Add {model.word}
        </Button>
      </div>
    </Frame>
  );
}

interface NameProps {
  title: string;
  pointer: Pointer;
  name: string;
  taken: (name: string) => boolean;
  onChange: (name: string) => void;
}

/** Name is typed letter by letter, and on its way may be another's: it is the map's only once it is nobody else's. */
function Name({ title, pointer, name, taken, onChange }: NameProps) {
  const [text, setText] = useState(name);
  useEffect(() => setText(name), [name]);
  const twice = text !== name;
  return (
    <TextInput
      label={title}
      value={text}
      error={twice ? "This name is there twice." : undefined}
      data-key={child(pointer, name)}
      className={classes.name}
      autoComplete="off"
      spellCheck={false}
      onChange={(e) => {
        const next = e.currentTarget.value;
        setText(next);
        if (!taken(next)) onChange(next);
      }}
    />
  );
}
