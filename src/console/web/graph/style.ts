import type { StylesheetJson } from "cytoscape";
import { NODE_SIZE } from "./layout.ts";
import { STATE_COLOURS } from "./overlay.ts";

/** The graph's look; colours come from the page's own variables, so that both themes fit. */
export function graphStyle(): StylesheetJson {
  const css = getComputedStyle(document.documentElement);
  const variable = (name: string) => css.getPropertyValue(name).trim();
  const [ink, muted, surface, line, canvas, box] = ["--ink", "--muted", "--surface", "--line", "--canvas", "--box"].map(variable) as [string, string, string, string, string, string];
  return [
    {
      selector: "node",
      style: {
        shape: "round-rectangle", width: NODE_SIZE.width, height: NODE_SIZE.height, "background-color": surface, "border-width": 1.5, "border-color": line,
        label: "data(label)", "text-wrap": "wrap", "text-valign": "center", "text-halign": "center", color: ink, "font-size": 13, "font-weight": 600, "line-height": 1.3,
        "font-family": "system-ui, sans-serif",
      },
    },
    { selector: "node[type = 'service']", style: { shape: "round-tag", "border-style": "dashed" } },
    { selector: "node[type = 'unknown']", style: { shape: "ellipse", width: 96, height: 60, "border-color": STATE_COLOURS.plaintext, "border-style": "dashed", color: muted } },
    { selector: "node[?outside]", style: { "border-style": "dashed", "border-color": STATE_COLOURS.plaintext } },
    { selector: "node[?gateway]", style: { shape: "cut-rectangle", "border-color": "#4c7dd9", "border-width": 2 } },
    { selector: "node[?idle]", style: { color: muted, "border-color": line, "background-opacity": 0.6 } },
    {
      selector: ":parent",
      style: {
        shape: "round-rectangle", "background-color": box, "background-opacity": 1, "border-width": 1, "border-color": line, label: "data(label)", "text-valign": "top", "text-halign": "center",
        "text-margin-y": 26, "font-size": 12, "font-weight": 600, color: muted, "padding-top": "44px", "padding-bottom": "24px", "padding-left": "28px", "padding-right": "28px",
      },
    },
    {
      selector: "edge",
      style: {
        width: 2, "line-color": "data(colour)", "target-arrow-color": "data(colour)", "target-arrow-shape": "triangle", "arrow-scale": 1.1, "curve-style": "bezier", label: "data(label)",
        "font-size": 11, color: ink, "text-background-color": canvas, "text-background-opacity": 0.9, "text-background-padding": "3px", "text-background-shape": "roundrectangle", "text-margin-y": 24,
        "font-family": "system-ui, sans-serif", "text-wrap": "wrap",
      },
    },
    { selector: "edge[state = 'refused']", style: { "line-style": "dashed", "line-dash-pattern": [7, 5] } },
    { selector: "edge[?failing]", style: { "line-color": STATE_COLOURS.refused, "target-arrow-color": STATE_COLOURS.refused } },
    { selector: ".faded", style: { opacity: 0.22 } },
    { selector: "node:selected", style: { "border-color": "#4c7dd9", "border-width": 3 } },
    { selector: "edge:selected", style: { width: 4 } },
  ];
}
