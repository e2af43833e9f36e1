import { createContext, useContext } from "react";
import type { FieldError } from "./errors";
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
}

export const FormContext = createContext<FormState | undefined>(undefined);

export function useForm(): FormState {
  const form = useContext(FormContext);
  if (form === undefined) throw new Error("a field is outside a form");
  return form;
}
