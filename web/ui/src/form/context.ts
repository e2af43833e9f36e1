import { createContext, useContext } from "react";
import type { FieldError } from "./errors";
import type { Field } from "./model";
import type { Pointer } from "./pointer";

/** Choice is an object that a reference can name. */
export interface Referable {
  id: string;
  name: string;
}

/** References finds what a reference can name: the application knows where. */
export interface References {
  search: (collection: string, text: string) => Promise<Referable[]>;
  find: (collection: string, key: string) => Promise<Referable | undefined>;
}

export interface FormState {
  id: string;
  value: unknown;
  change: (pointer: Pointer, placed: unknown) => void;
  errorsAt: (pointer: Pointer) => FieldError[];
  references: References;
  may: (permission: string) => boolean;
}

export const FormContext = createContext<FormState | undefined>(undefined);

/** useWithheld tells whether a field may be looked at, and not changed. */
export function useWithheld(field: Field): boolean {
  const { may } = useForm();
  return field.permission !== "" && !may(field.permission);
}

export function useForm(): FormState {
  const form = useContext(FormContext);
  if (form === undefined) throw new Error("a field is outside a form");
  return form;
}
