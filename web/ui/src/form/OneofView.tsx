import { NativeSelect, SegmentedControl } from "@mantine/core";
import { useForm } from "./context";
import classes from "./form.module.css";
import { FieldView } from "./FieldView";
import { Errors, Help, useIds } from "./frame";
import { type OneofPart, blankOf, chosenOf, isObject } from "./model";
import { type Pointer, at, child } from "./pointer";

const mostLetters = 46; // of all titles in one row

/** OneofView lets one of several fields be chosen, and shows that one. Choosing another takes the first away. */
export function OneofView({ oneof, pointer }: { oneof: OneofPart; pointer: Pointer }) {
  const { value, change, may } = useForm();
  const place = `${pointer}#${oneof.name}`;
  const ids = useIds(place);
  const object = at(value, pointer);
  const chosen = chosenOf(oneof, object);
  const choose = (name: string) => {
    const others = Object.fromEntries(Object.entries(isObject(object) ? object : {}).filter(([key]) => !oneof.members.some((m) => m.name === key)));
    const member = oneof.members.find((m) => m.name === name);
    change(pointer, member === undefined ? others : { ...others, [name]: blankOf(member) });
  };
  const titles = oneof.members.map((m) => ({ value: m.name, label: m.title, disabled: m.permission !== "" && m.name !== chosen?.name && !may(m.permission) }));
  const few = titles.reduce((sum, d) => sum + d.label.length, 0) <= mostLetters;
  // Of a few that are all in sight none is chosen at first; a list needs a line that says so.
  const none = oneof.required && (few || chosen !== undefined) ? [] : [{ value: "", label: oneof.required ? "Choose …" : "None" }];
  const data = [...none, ...titles];
  const constant = chosen?.model.kind === "boolean" && chosen.model.constant !== undefined && object !== undefined &&
    isObject(object) && object[chosen.name] === chosen.model.constant;
  return (
    <div data-oneof={place}>
      <div className={classes.head}>
        <span className={classes.label} id={ids.label}>{oneof.title}</span>
      </div>
      <Help text={oneof.help} id={ids.help} />
      <div className={classes.body}>
        {few ? (
          <SegmentedControl aria-labelledby={ids.label} value={chosen?.name ?? ""} data={data} onChange={choose} />
        ) : (
          <NativeSelect
            aria-labelledby={ids.label}
            className={classes.narrow}
            value={chosen?.name ?? ""}
            data={data}
            onChange={(e) => choose(e.currentTarget.value)}
          />
        )}
      </div>
      {chosen !== undefined && (
        <div className={classes.chosen}>
          {constant ? (
            <div data-pointer={child(pointer, chosen.name)}>
              <Help text={chosen.help} id={ids.input} />
              <Errors pointer={child(pointer, chosen.name)} />
            </div>
          ) : (
            <FieldView field={chosen} pointer={child(pointer, chosen.name)} />
          )}
        </div>
      )}
    </div>
  );
}
