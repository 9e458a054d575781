import type { Core, NodeSingular } from "cytoscape";
import type { Point } from "./layout.ts";

/** Room around the graph when it is fitted, in pixels. */
const PADDING = 44;
/** A graph of two nodes must not fill the screen; on one that is wider than this it may be as much larger. */
const MAX_ZOOM = 1.2;
const WIDE = 1_600;
/** Boxes reach beyond their nodes: what to leave for them, in the graph's coordinates. */
const BOX_MARGIN = 44;

/** Shows the whole graph. With a duration the view glides to where nodes are about to stand. */
export function fit(core: Core, durationMs = 0, coming?: ReadonlyMap<string, Point>): void {
  const nodes = core.nodes(":childless");
  if (nodes.empty() || core.width() === 0) return;
  let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
  nodes.forEach((node) => {
    const { x, y } = coming?.get(node.id()) ?? node.position();
    left = Math.min(left, x - node.width() / 2);
    right = Math.max(right, x + node.width() / 2);
    top = Math.min(top, y - node.height() / 2);
    bottom = Math.max(bottom, y + node.height() / 2);
  });
  [left, top, right, bottom] = [left - BOX_MARGIN, top - BOX_MARGIN, right + BOX_MARGIN, bottom + BOX_MARGIN];
  const zoom = Math.min((core.width() - PADDING) / (right - left), (core.height() - PADDING) / (bottom - top), MAX_ZOOM * Math.max(1, core.width() / WIDE));
  const pan = { x: core.width() / 2 - ((left + right) / 2) * zoom, y: core.height() / 2 - ((top + bottom) / 2) * zoom };
  core.stop(true);
  if (durationMs > 0) core.animate({ zoom, pan }, { duration: durationMs, easing: "ease-in-out" });
  else core.viewport({ zoom, pan });
}

export function zoomBy(core: Core, factor: number): void {
  core.zoom({ level: core.zoom() * factor, renderedPosition: { x: core.width() / 2, y: core.height() / 2 } });
}

/** The node to go to from the selected one in a direction; the first one when none is selected. */
export function nearest(core: Core, selected: string | undefined, [dx, dy]: [number, number]): string | undefined {
  const nodes = core.nodes(":childless").toArray() as NodeSingular[];
  const from = selected === undefined ? undefined : core.getElementById(selected);
  const start = from?.nonempty() ? (from.isEdge() ? from.source() : from) : undefined;
  if (!start) return nodes.toSorted((a, b) => a.position("x") - b.position("x") || a.position("y") - b.position("y"))[0]?.id();
  let best: { id: string; cost: number } | undefined;
  for (const node of nodes) {
    const [x, y] = [node.position("x") - start.position("x"), node.position("y") - start.position("y")];
    const ahead = x * dx + y * dy;
    if (node.id() === start.id() || ahead <= 1) continue;
    // Aside counts double: the next in line comes before one that is near but beside.
    const cost = ahead + 2 * Math.abs(x * dy + y * dx);
    if (!best || cost < best.cost) best = { id: node.id(), cost };
  }
  return best?.id;
}

/** What is on the screen, marks included, as a file. */
export function savePicture(core: Core, layers: HTMLCanvasElement[]): void {
  const [first] = layers;
  if (!first) return;
  const paper = document.createElement("canvas");
  paper.width = first.width;
  paper.height = first.height;
  const context = paper.getContext("2d")!;
  const picture = new Image();
  picture.onload = () => {
    context.drawImage(picture, 0, 0, paper.width, paper.height);
    for (const layer of layers) context.drawImage(layer, 0, 0);
    const link = document.createElement("a");
    link.download = `mesh-${new Date().toISOString().replace(/[:.]/g, "-")}.png`;
    link.href = paper.toDataURL("image/png");
    link.click();
  };
  picture.src = core.png({ bg: getComputedStyle(document.documentElement).getPropertyValue("--canvas").trim(), scale: window.devicePixelRatio });
}
