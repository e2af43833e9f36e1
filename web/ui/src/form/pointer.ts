import { isObject } from "./model";

/** A JSON pointer (RFC 6901) names a place in a value: the API's errors do, and so does the form. */
export type Pointer = string;

export function child(pointer: Pointer, name: string | number): Pointer {
  return `${pointer}/${String(name).replaceAll("~", "~0").replaceAll("/", "~1")}`;
}

export function segments(pointer: Pointer): string[] {
  return pointer === "" ? [] : pointer.slice(1).split("/").map((s) => s.replaceAll("~1", "/").replaceAll("~0", "~"));
}

export function parent(pointer: Pointer): Pointer {
  return pointer.slice(0, Math.max(pointer.lastIndexOf("/"), 0));
}

export function at(value: unknown, pointer: Pointer): unknown {
  let found = value;
  for (const segment of segments(pointer)) {
    if (Array.isArray(found)) found = found[Number(segment)];
    else if (isObject(found)) found = Object.hasOwn(found, segment) ? found[segment] : undefined;
    else return undefined;
  }
  return found;
}

/** withAt returns a value with another in one place, undefined taking it away. All else is shared, and stays as it is. */
export function withAt(value: unknown, pointer: Pointer, placed: unknown): unknown {
  const [first, ...rest] = segments(pointer);
  if (first === undefined) return placed;
  const deeper = rest.reduce(child, "");
  if (Array.isArray(value)) {
    const changed = [...value];
    const index = Number(first);
    const inside = withAt(changed[index], deeper, placed);
    if (inside === undefined) changed.splice(index, 1);
    else changed[index] = inside;
    return changed;
  }
  const object = isObject(value) ? value : {};
  if (placed === undefined && !Object.hasOwn(object, first)) return value;
  const inside = withAt(Object.hasOwn(object, first) ? object[first] : undefined, deeper, placed);
  if (inside === undefined) {
    const { [first]: _, ...others } = object;
    return others;
  }
  return { ...object, [first]: inside };
}

/** renamed gives a member of an object another name in the same place. */
export function renamed(object: Record<string, unknown>, from: string, to: string): Record<string, unknown> {
  return Object.fromEntries(Object.entries(object).map(([name, value]) => [name === from ? to : name, value]));
}
