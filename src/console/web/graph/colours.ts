import type { EdgeState } from "../model.ts";

/** Readable on both themes; the same state has the same colour on the graph, in lists and in words. */
export const STATE_COLOURS: Record<EdgeState, string> = { secure: "#2f9e6e", plaintext: "#d98a00", mixed: "#d98a00", refused: "#d9363e", unknown: "#8a94a6" };

export const GATEWAY_COLOUR = "#4c7dd9";

export interface Palette {
  ink: string;
  muted: string;
  surface: string;
  line: string;
  canvas: string;
  box: string;
}

/** The page's own colours, which the theme decides. */
export function palette(): Palette {
  const css = getComputedStyle(document.documentElement);
  const variable = (name: string) => css.getPropertyValue(name).trim();
  return {
    ink: variable("--ink"),
    muted: variable("--muted"),
    surface: variable("--surface"),
    line: variable("--line"),
    canvas: variable("--canvas"),
    box: variable("--box"),
  };
}
