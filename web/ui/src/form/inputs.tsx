import { Autocomplete, NativeSelect, SegmentedControl, Switch, Text, TextInput as Plain, Textarea } from "@mantine/core";
import { type ReactNode, useState } from "react";
import { useForm } from "./context";
import classes from "./form.module.css";
import { Errors, Frame, Help, Permission, useDescribed, useIds } from "./frame";
import type { FieldProps } from "./FieldView";
import type { Model, Option } from "./model";
import { at } from "./pointer";
import { summaryOf } from "./summary";
import { localOf, timeOf } from "./time";

type Of<K extends Model["kind"]> = Extract<Model, { kind: K }>;
type Props<K extends Model["kind"]> = FieldProps & { model: Of<K> };

/** useText is a text that stands for a value: "" for none, since an empty input says nothing. */
function useText({ field, pointer }: FieldProps, parse: (text: string) => unknown = (text) => text) {
  const { value, change } = useForm();
  const held = at(value, pointer);
  return {
    ...useDescribed(field, pointer),
    value: held === undefined || held === null ? "" : String(held),
    placeholder: field.standard === undefined ? field.placeholder : `${summaryOf(field, field.standard)} (default)`,
    set: (text: string) => change(pointer, text === "" && !field.kept ? undefined : parse(text)),
    wrong: useIds(pointer).wrong,
  };
}

export function TextInput({ field, pointer, model }: Props<"text">) {
  const { set, wrong, ...text } = useText({ field, pointer });
  // An input of one line would lose the ends of lines that the value has.
  const lines = (model.multiline && !field.secret) || text.value.includes("\n");
  return (
    <Frame field={field} pointer={pointer}>
      {lines ? (
        <Textarea {...text} error={wrong} autosize minRows={2} maxRows={12} onChange={(e) => set(e.currentTarget.value)} />
      ) : model.suggestions.length > 0 ? (
        <Autocomplete {...text} error={wrong} data={model.suggestions} onChange={set} />
      ) : (
        <Plain
          {...text}
          error={wrong}
          type={field.secret ? "password" : "text"}
          autoComplete="off"
          spellCheck={false}
          onChange={(e) => set(e.currentTarget.value)}
        />
      )}
    </Frame>
  );
}

/** A number is one once it reads back as it was typed; until then the text is kept, and the API says what is wrong with it. */
export function numberOf(text: string): unknown {
  const number = Number(text);
  return String(number) === text && Math.abs(number) <= Number.MAX_SAFE_INTEGER ? number : text;
}

export function NumberInput({ field, pointer, model }: Props<"number">) {
  const { set, wrong, ...text } = useText({ field, pointer }, numberOf);
  if (model.options.length > 0) {
    const { placeholder, ...select } = text;
    const numbers = model.options.map(String);
    const others = text.value === "" || numbers.includes(text.value) ? [] : [text.value];
    return (
      <Frame field={field} pointer={pointer}>
        <NativeSelect
          {...select}
          error={wrong}
          className={classes.narrow}
          data={[{ value: "", label: field.standard === undefined ? "Choose …" : placeholder }, ...numbers, ...others]}
          onChange={(e) => set(e.currentTarget.value)}
        />
      </Frame>
    );
  }
  return (
    <Frame field={field} pointer={pointer} aside={<Range least={model.least} most={model.most} unit={field.unit} />}>
      <Plain
        {...text}
        placeholder={field.standard === undefined ? field.placeholder : `${String(field.standard)} (default)`} // the unit stands at the other end
        error={wrong}
        inputMode={model.integer ? "numeric" : "decimal"}
        autoComplete="off"
        className={classes.narrow}
        rightSection={field.unit === "" ? undefined : <Text size="sm" c="dimmed" pr="sm">{field.unit}</Text>}
        rightSectionWidth="auto"
        onChange={(e) => set(e.currentTarget.value.trim())}
      />
    </Frame>
  );
}

export function DurationInput({ field, pointer, model }: Props<"duration">) {
  const { set, wrong, ...text } = useText({ field, pointer });
  return (
    <Frame field={field} pointer={pointer} aside={<Range least={model.least} most={model.most} unit="" />}>
      <Plain
        {...text}
        placeholder={text.placeholder || "250ms, 30s, 1m30s, 24h"}
        error={wrong}
        autoComplete="off"
        spellCheck={false}
        className={classes.narrow}
        onChange={(e) => set(e.currentTarget.value.trim())}
      />
    </Frame>
  );
}

const unbounded = 2 ** 31 - 1;

/** Range says what a number may be, where that is more than its type says. */
function Range({ least, most, unit }: { least?: number | string; most?: number | string; unit: string }) {
  const bound = (of?: number | string) => of !== undefined && !(typeof of === "number" && Math.abs(of) >= unbounded);
  const show = (of?: number | string) => (typeof of === "number" ? of.toLocaleString("en") : of);
  let text: ReactNode = null;
  if (bound(least) && bound(most)) text = `${show(least)} to ${show(most)}`;
  else if (bound(most)) text = `at most ${show(most)}`;
  else if (bound(least) && least !== 0) text = `at least ${show(least)}`;
  return text === null ? null : <Text size="xs" c="dimmed">{text} {unit}</Text>;
}

export function TimeInput({ field, pointer }: FieldProps) {
  const { value, change } = useForm();
  const held = at(value, pointer);
  return (
    <Frame field={field} pointer={pointer}>
      <Plain
        {...useDescribed(field, pointer)}
        type="datetime-local"
        step={1}
        className={classes.narrow}
        value={localOf(typeof held === "string" ? held : "")}
        error={useIds(pointer).wrong}
        onChange={(e) => change(pointer, timeOf(e.currentTarget.value))}
      />
    </Frame>
  );
}

export function BooleanInput({ field, pointer, model }: Props<"boolean">) {
  const { value, change } = useForm();
  const ids = useIds(pointer);
  const described = useDescribed(field, pointer);
  const held = at(value, pointer);
  const stated = field.presence || field.standard !== undefined || (field.kept && model.constant === undefined);
  if (!stated) {
    return (
      <div data-pointer={pointer}>
        <Switch
          {...described}
          label={field.title}
          checked={held === true}
          classNames={{ label: classes.label }}
          onChange={(e) => change(pointer, e.currentTarget.checked ? true : undefined)}
        />
        <div className={classes.under}>
          <Help text={field.help} id={ids.help} />
          <Permission field={field} id={ids.permission} />
          <Errors pointer={pointer} />
        </div>
      </div>
    );
  }
  const none = field.kept ? [] : [{ value: "", label: unstated(field.standard === undefined ? undefined : field.standard === true ? "On" : "Off") }];
  return (
    <Frame field={field} pointer={pointer} group>
      <SegmentedControl
        aria-labelledby={ids.label}
        value={held === undefined ? "" : String(held)}
        data={[...none, { value: "true", label: "On" }, { value: "false", label: "Off" }]}
        onChange={(next) => change(pointer, next === "" ? undefined : next === "true")}
      />
    </Frame>
  );
}

const mostSegments = 5;

export function ChoiceInput({ field, pointer, model }: Props<"choice">) {
  const { value, change } = useForm();
  const ids = useIds(pointer);
  const described = useDescribed(field, pointer);
  const held = at(value, pointer);
  const known: Option[] = typeof held === "string" && held !== "" && !model.options.some((o) => o.value === held)
    ? [...model.options, { value: held, label: held, help: "" }]
    : model.options;
  const standard = model.options.find((o) => o.value === field.standard)?.label;
  const none = field.required && held !== undefined && held !== "" ? [] : [{ value: "", label: field.required ? "Choose …" : unstated(standard) }];
  const data = [...none, ...known.map((o) => ({ value: o.value, label: o.label }))];
  const chosen = known.find((o) => o.value === (held ?? field.standard));
  const set = (next: string) => change(pointer, next === "" ? undefined : next);
  const few = data.length <= mostSegments && !field.required;
  return (
    <Frame field={field} pointer={pointer} group={few}>
      {few ? (
        <SegmentedControl aria-labelledby={ids.label} value={String(held ?? "")} data={data} onChange={set} />
      ) : (
        <NativeSelect
          {...described}
          className={classes.narrow}
          value={String(held ?? "")}
          data={data}
          error={ids.wrong}
          onChange={(e) => set(e.currentTarget.value)}
        />
      )}
      {chosen !== undefined && chosen.help !== "" && (
        <div className={classes.note}>
          <Help text={chosen.help} id={`${ids.input}-chosen`} />
        </div>
      )}
    </Frame>
  );
}

function unstated(standard: string | undefined): string {
  return standard === undefined ? "Not set" : `Default (${standard})`;
}

/** JSONInput edits what has no schema. The text is kept while it can't be read. */
export function JSONInput({ field, pointer, model }: Props<"json">) {
  const { value, change } = useForm();
  const held = at(value, pointer);
  const [text, setText] = useState(() => (held === undefined ? "" : JSON.stringify(held, null, 2)));
  const [broken, setBroken] = useState(false);
  const { wrong } = useIds(pointer);
  return (
    <Frame field={field} pointer={pointer}>
      <Textarea
        {...useDescribed(field, pointer)}
        value={text}
        autosize
        minRows={3}
        maxRows={20}
        spellCheck={false}
        classNames={{ input: classes.code }}
        placeholder={model.shape === "array" ? "[ ]" : "{ }"}
        error={broken ? "This isn't JSON yet." : wrong}
        onChange={(e) => {
          const next = e.currentTarget.value;
          setText(next);
          try {
            change(pointer, next.trim() === "" ? undefined : JSON.parse(next));
            setBroken(false);
          } catch {
            setBroken(true);
          }
        }}
      />
    </Frame>
  );
}

