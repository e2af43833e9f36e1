import { Button, Collapse, Stack } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { type ReactNode, useId, useMemo, useState } from "react";
import { Icon } from "../icons";
import { FormContext, type References, useForm } from "./context";
import { type FieldError, place, shownOf } from "./errors";
import { FieldView } from "./FieldView";
import { type Field, type Part, isObject } from "./model";
import { OneofView } from "./OneofView";
import { type Pointer, at, child, withAt } from "./pointer";

interface FormProps {
  root: Field;
  value: unknown;
  onChange: (value: unknown) => void;
  errors: FieldError[];
  references: References;
  /** Tells which of the permissions that fields take is held. */
  may: (permission: string) => boolean;
  children: ReactNode;
}

/** Form holds a value and where its errors are shown. What is in it shows parts of the value: the value is never copied apart, so what
 * the form doesn't know stays in it untouched. */
export function Form({ root, value, onChange, errors, references, may, children }: FormProps) {
  const id = useId();
  const [settled, setSettled] = useState<Settled>({ of: errors, pointers: [] });
  const pointers = settled.of === errors ? settled.pointers : none;
  const placed = useMemo(() => place(errors.filter((e) => !isSettled(e, pointers)), shownOf(root, value)), [root, value, errors, pointers]);
  const state = {
    id,
    value,
    change: (pointer: Pointer, inside: unknown) => {
      setSettled({ of: errors, pointers: [...pointers, pointer] });
      onChange(withAt(value, pointer, inside) ?? {});
    },
    errorsAt: (pointer: Pointer) => placed.get(pointer) ?? [],
    references,
    may,
  };
  return <FormContext value={state}>{children}</FormContext>;
}

/** Settled are the places that were changed since the errors came: what was said of them holds no more. */
interface Settled {
  of: FieldError[];
  pointers: Pointer[];
}

const none: Pointer[] = [];

function isSettled(error: FieldError, pointers: Pointer[]): boolean {
  return pointers.some((p) => error.pointer === p || error.pointer.startsWith(`${p}/`));
}

interface PartsProps {
  parts: Part[];
  pointer: Pointer;
}

/** Parts shows what an object has, the seldom used folded away unless it is given or wrong. */
export function Parts({ parts, pointer }: PartsProps) {
  const { value, errorsAt } = useForm();
  const [open, { toggle }] = useDisclosure(false);
  const object = at(value, pointer);
  const folded = (part: Part) => part.type === "field" && part.field.advanced && !part.field.required;
  const needed = parts.filter(folded).some((part) => {
    const name = part.type === "field" ? part.field.name : "";
    return errorsAt(child(pointer, name)).length > 0 || (isObject(object) && object[name] !== undefined);
  });
  return (
    <Stack gap="lg">
      {parts.filter((part) => !folded(part)).map((part) => <PartView key={nameOf(part)} part={part} pointer={pointer} />)}
      {parts.some(folded) && (
        <div>
          {!needed && (
            <Button
              variant="subtle"
              size="compact-sm"
              onClick={toggle}
              aria-expanded={open}
              data-advanced={pointer}
              leftSection={<Icon name={open ? "down" : "right"} size={14} />}
            >
              Advanced
            </Button>
          )}
          <Collapse expanded={open || needed} pt={needed ? 0 : "sm"}>
            {(open || needed) && (
              <Stack gap="lg">
                {parts.filter(folded).map((part) => <PartView key={nameOf(part)} part={part} pointer={pointer} />)}
              </Stack>
            )}
          </Collapse>
        </div>
      )}
    </Stack>
  );
}

function PartView({ part, pointer }: { part: Part; pointer: Pointer }) {
  if (part.type === "oneof") return <OneofView oneof={part.oneof} pointer={pointer} />;
  return <FieldView field={part.field} pointer={child(pointer, part.field.name)} />;
}

function nameOf(part: Part): string {
  return part.type === "field" ? part.field.name : part.oneof.name;
}
