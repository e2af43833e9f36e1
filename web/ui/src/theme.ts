import { type CSSVariablesResolver, type MantineColorsTuple, createTheme } from "@mantine/core";

/** Ours: a deep blue green, from paper to ink. */
const sally: MantineColorsTuple = [
  "#eaf7f7", "#d6ecec", "#aad8d8", "#7bc3c4", "#54b1b3", "#3ba6a8", "#2b8f92", "#15777b", "#0a6165", "#034b4e",
];

/** The greys of the dark scheme, towards blue: text first, ground last. */
const dark: MantineColorsTuple = [
  "#e7ecf0", "#c0cad2", "#a3aeb8", "#6f7d88", "#35424c", "#2a353e", "#1b242b", "#141b21", "#10161b", "#0c1115",
];

export const theme = createTheme({
  colors: { sally, dark },
  primaryColor: "sally",
  primaryShade: { light: 8, dark: 7 },
  fontFamily: "'Inter Variable', system-ui, sans-serif",
  fontFamilyMonospace: "ui-monospace, 'SF Mono', 'Cascadia Mono', 'DejaVu Sans Mono', monospace",
  headings: { fontWeight: "620", sizes: { h1: { fontSize: "1.5rem", lineHeight: "2rem" }, h2: { fontSize: "1.0625rem", lineHeight: "1.5rem" } } },
  defaultRadius: "md",
  cursorType: "pointer",
  focusRing: "auto",
});

/** Mantine's greys for what is dimmed, and its reds for what is wrong, are too pale to be read by everybody (WCAG AA): these aren't. */
export const cssVariables: CSSVariablesResolver = () => ({
  variables: {},
  light: {
    "--mantine-color-dimmed": "#566069",
    "--mantine-color-placeholder": "#68717a",
    "--mantine-color-error": "#b42318",
    "--mantine-color-anchor": "#0a6165",
    "--mantine-color-text": "#16202a",
    "--mantine-color-body": "#ffffff",
    "--sp-ground": "#f6f8f9",
    "--sp-inset": "#f9fbfb",
    "--sp-line": "#dfe5e8",
    "--sp-line-strong": "#c3ccd1",
    "--sp-mark": "#0a6165",
    "--sp-selected": "#e3f1f1",
    "--sp-good": "#0b6b3a", "--sp-good-ground": "#e4f5ec",
    "--sp-warn": "#8a4b04", "--sp-warn-ground": "#fdf1dd",
    "--sp-bad": "#b42318", "--sp-bad-ground": "#fdecea",
    "--sp-calm": "#414b55", "--sp-calm-ground": "#edf1f3",
    "--sp-accent": "#0a5a5e", "--sp-accent-ground": "#def0f0",
    "--sp-violet": "#5b3aa8", "--sp-violet-ground": "#efeafc",
  },
  dark: {
    "--mantine-color-dimmed": "#a3aeb8",
    "--mantine-color-placeholder": "#929ea8",
    "--mantine-color-error": "#ff9d94",
    "--mantine-color-anchor": "#7fd0d2",
    "--mantine-color-text": "#e7ecf0",
    "--mantine-color-body": "#141b21",
    "--mantine-color-default": "#1b242b",
    "--mantine-color-default-border": "#35424c",
    "--mantine-color-default-hover": "#232e37",
    "--sp-ground": "#0e1418",
    "--sp-inset": "#182027",
    "--sp-line": "#2a353e",
    "--sp-line-strong": "#46545f",
    "--sp-mark": "#15777b",
    "--sp-selected": "#173236",
    "--sp-good": "#7fdca6", "--sp-good-ground": "#12301f",
    "--sp-warn": "#f4c176", "--sp-warn-ground": "#362508",
    "--sp-bad": "#ff9d94", "--sp-bad-ground": "#3b1714",
    "--sp-calm": "#c0cad2", "--sp-calm-ground": "#243039",
    "--sp-accent": "#84d4d6", "--sp-accent-ground": "#123336",
    "--sp-violet": "#c9b6ff", "--sp-violet-ground": "#2b2146",
  },
});
