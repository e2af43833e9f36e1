import { Select } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useForm } from "./context";
import { Frame, useDescribed, useIds } from "./frame";
import type { FieldProps } from "./FieldView";
import { type Model, lowered, wordsOf } from "./model";
import { at } from "./pointer";

const pause = 150; // between keys, before it is searched

/** ReferenceInput picks an object of a collection by its name. The value is what the API takes: the id, or a name somebody wrote. */
export function ReferenceInput({ field, pointer, model }: FieldProps & { model: Extract<Model, { kind: "reference" }> }) {
  const { value, change, references } = useForm();
  const { wrong } = useIds(pointer);
  const described = useDescribed(field, pointer);
  const raw = at(value, pointer);
  const held = typeof raw === "string" ? raw : "";
  const [text, setText] = useState("");
  const [searched] = useDebouncedValue(text, pause);
  const current = useQuery({
    queryKey: ["reference", model.collection, held],
    queryFn: async () => (await references.find(model.collection, held)) ?? null,
    enabled: held !== "",
  });
  const name = current.data?.name ?? held;
  const found = useQuery({
    queryKey: ["references", model.collection, searched === name ? "" : searched],
    queryFn: () => references.search(model.collection, searched === name ? "" : searched),
  });
  const options = (found.data ?? []).map((o) => ({ value: o.id, label: o.name }));
  const chosen = current.data?.id ?? held;
  if (chosen !== "" && !options.some((o) => o.value === chosen)) {
    options.unshift({ value: chosen, label: current.data === null ? `${held} (not found)` : name });
  }
  const word = lowered(wordsOf(model.collection));
  return (
    <Frame field={field} pointer={pointer}>
      <Select
        {...described}
        data={options}
        value={chosen === "" ? null : chosen}
        error={wrong}
        searchable
        clearable={!field.required}
        placeholder={field.placeholder || `Choose from ${word} …`}
        nothingFoundMessage={found.isPending ? "Looking …" : `There are no ${word} of that name.`}
        searchValue={text}
        onSearchChange={setText}
        filter={({ options: all }) => all}
        comboboxProps={{ shadow: "md" }}
        onChange={(next) => change(pointer, next ?? (field.kept ? "" : undefined))}
      />
    </Frame>
  );
}
