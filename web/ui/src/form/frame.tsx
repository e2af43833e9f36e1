import { Text, UnstyledButton } from "@mantine/core";
import { type ReactNode, useState } from "react";
import { useForm, useWithheld } from "./context";
import classes from "./form.module.css";
import { Icon } from "../icons";
import type { Field } from "./model";
import type { Pointer } from "./pointer";

/** ids are those by which an input, its label, help and errors know one another. */
export function useIds(pointer: Pointer) {
  const { id, errorsAt } = useForm();
  const input = `${id}${pointer}`;
  const wrong = errorsAt(pointer).length > 0;
  return { input, label: `${input}-label`, help: `${input}-help`, permission: `${input}-permission`, error: `${input}-error`, wrong };
}

/** describe are the attributes by which an input is told of its help and errors. */
export function useDescribed(field: Field, pointer: Pointer) {
  const ids = useIds(pointer);
  const described = [field.help === "" ? "" : ids.help, field.permission === "" ? "" : ids.permission, ids.wrong ? ids.error : ""].filter((id) => id !== "").join(" ");
  return { id: ids.input, "aria-invalid": ids.wrong || undefined, "aria-describedby": described || undefined, "aria-required": field.required || undefined };
}

interface FrameProps {
  field: Field;
  pointer: Pointer;
  children: ReactNode;
  /** What stands at the right end of the label's line. */
  aside?: ReactNode;
  /** The label is a group's, not that of one input. */
  group?: boolean;
}

/** Frame is the label, help and errors around what edits a field. */
export function Frame({ field, pointer, children, aside, group = false }: FrameProps) {
  const ids = useIds(pointer);
  const title = (
    <>
      {field.title}
      {field.required && field.title !== "" && <span className={classes.required} aria-hidden> *</span>}
    </>
  );
  return (
    <div data-pointer={pointer} role={group ? "group" : undefined} aria-labelledby={group ? ids.label : undefined}>
      <div className={classes.head}>
        {group ? (
          <span className={classes.label} id={ids.label}>{title}</span>
        ) : (
          <label className={classes.label} id={ids.label} htmlFor={ids.input}>{title}</label>
        )}
        {aside}
      </div>
      <Help text={field.help} id={ids.help} />
      <Permission field={field} id={ids.permission} />
      <div className={classes.body}>{children}</div>
      <Errors pointer={pointer} />
    </div>
  );
}

const shortHelp = 160;

/** Help shows the first sentence of a long text, the rest on demand. */
export function Help({ text, id }: { text: string; id: string }) {
  const [whole, setWhole] = useState(false);
  if (text === "") return null;
  const end = text.length > shortHelp ? text.search(/\. /) : -1;
  const shown = whole || end < 0 ? text : text.slice(0, end + 1);
  return (
    <Text size="sm" c="dimmed" id={id} className={classes.help}>
      {shown}
      {end >= 0 && (
        <>
          {" "}
          <UnstyledButton className={classes.more} onClick={() => setWhole(!whole)} aria-expanded={whole}>
            {whole ? "Less" : "More"}
          </UnstyledButton>
        </>
      )}
    </Text>
  );
}

/** Permission says what a field takes to be written besides what its object does. */
export function Permission({ field, id }: { field: Field; id: string }) {
  const withheld = useWithheld(field);
  if (field.permission === "") return null;
  return (
    <Text size="sm" c="dimmed" id={id} className={classes.permission} data-permission={field.permission} data-withheld={withheld || undefined}>
      <Icon name="lock" size={13} />
      <span>Takes the permission <code>{field.permission}</code>{withheld ? ", which your roles here don't have." : "."}</span>
    </Text>
  );
}

/** Errors shows what the API says of a place, and of places in it that the form doesn't show. */
export function Errors({ pointer }: { pointer: Pointer }) {
  const { errorsAt } = useForm();
  const ids = useIds(pointer);
  const errors = errorsAt(pointer);
  if (errors.length === 0) return null;
  return (
    <div className={classes.errors} id={ids.error} role="alert" data-errors={pointer}>
      {errors.map((error, i) => (
        <div key={i} data-error={error.pointer} data-code={error.code}>
          {error.pointer !== pointer && <code>{error.pointer.slice(pointer.length)} </code>}
          {sentence(error.detail)}
        </div>
      ))}
    </div>
  );
}

function sentence(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}
