export { Form, Parts } from "./Form";
export { Errors } from "./frame";
export type { Referable, References } from "./context";
export type { FieldError } from "./errors";
export { type Field, type Part, fieldOf, isObject, rootOf, wordsOf } from "./model";
export { at, child, withAt } from "./pointer";
export { type Definitions, type Schema, resolve } from "./schema";
export { summaryOf } from "./summary";
