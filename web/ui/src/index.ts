export { Icon, type IconName, Mark } from "./icons";
export { Async, Empty, Loading, Page, Panel } from "./Page";
export { Problem, ProblemCode, type Refusal } from "./Problem";
export { Tag, type Tone } from "./Tag";
export { cssVariables, theme } from "./theme";
