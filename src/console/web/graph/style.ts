import type { StylesheetJson } from "cytoscape";
import { GATEWAY_COLOUR, STATE_COLOURS, palette } from "./colours.ts";

/** Smaller names are drawn by the overlay, at a size that can be read. */
export const LEAST_FONT = 8;
export const NODE_FONT = 13;

/** The graph's look; colours come from the page's own variables, so that both themes fit. Marks and labels of edges are drawn by the overlay. */
export function graphStyle(): StylesheetJson {
  const { ink, muted, surface, line, box } = palette();
  return [
    {
      selector: "node",
      style: {
        shape: "round-rectangle",
        "background-color": surface,
        "border-width": 1.5,
        "border-color": line,
        label: "data(label)",
        "text-wrap": "wrap",
        "text-valign": "center",
        "text-halign": "center",
        color: ink,
        "font-size": NODE_FONT,
        "font-weight": 600,
        "line-height": 1.3,
        "font-family": "system-ui, sans-serif",
        "min-zoomed-font-size": LEAST_FONT,
      },
    },
    // Boxes have no size of their own.
    { selector: "node[width]", style: { width: "data(width)", height: "data(height)" } },
    { selector: "node[type = 'service']", style: { shape: "round-tag", "border-style": "dashed" } },
    { selector: "node[type = 'unknown']", style: { shape: "ellipse", "border-color": STATE_COLOURS.plaintext, "border-style": "dashed", color: muted } },
    { selector: "node[health = 'degraded']", style: { "border-color": STATE_COLOURS.plaintext, "border-width": 2.2 } },
    { selector: "node[health = 'failing']", style: { "border-color": STATE_COLOURS.refused, "border-width": 2.2 } },
    { selector: "node[?outside]", style: { "border-style": "dashed", "border-color": STATE_COLOURS.plaintext } },
    { selector: "node[?gateway]", style: { shape: "cut-rectangle", "border-color": GATEWAY_COLOUR, "border-width": 2 } },
    { selector: "node[?idle]", style: { color: muted, "border-color": line, "background-opacity": 0.6 } },
    {
      selector: ":parent",
      style: {
        shape: "round-rectangle",
        "background-color": box,
        "background-opacity": 1,
        "border-width": 1,
        "border-color": line,
        label: "data(label)",
        "text-valign": "top",
        "text-halign": "center",
        "text-margin-y": 24,
        "font-size": 12,
        "font-weight": 600,
        color: muted,
        "padding-top": "40px",
        "padding-bottom": "22px",
        "padding-left": "26px",
        "padding-right": "26px",
        "min-zoomed-font-size": LEAST_FONT * 0.9,
      },
    },
    {
      selector: "edge",
      style: {
        width: 2,
        "line-color": "data(colour)",
        "target-arrow-color": "data(colour)",
        "target-arrow-shape": "triangle",
        "arrow-scale": 1.1,
        "curve-style": "bezier",
      },
    },
    {
      selector: "edge[bend != 0]",
      style: { "curve-style": "unbundled-bezier", "control-point-distances": (edge) => edge.data("bend") as number, "control-point-weights": 0.5 },
    },
    { selector: "edge[state = 'refused']", style: { "line-style": "dashed", "line-dash-pattern": [7, 5] } },
    { selector: "edge[?failing]", style: { "line-color": STATE_COLOURS.refused, "target-arrow-color": STATE_COLOURS.refused } },
    // Names are the overlay's from here on; the library's own threshold leaves some behind.
    { selector: "node.far", style: { label: "" } },
    { selector: ".faded", style: { opacity: 0.22 } },
    { selector: "node:selected", style: { "border-color": GATEWAY_COLOUR, "border-width": 3 } },
    { selector: "edge:selected", style: { width: 4 } },
  ];
}
