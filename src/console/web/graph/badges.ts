import type { GraphNode, NodeTraits } from "../model.ts";
import { type Palette, GATEWAY_COLOUR } from "./colours.ts";
import { type Box, type View, toScreenBox } from "./marks.ts";

/** Smaller on the screen they could not be read: the panel has them in words. */
const LEAST_ZOOM = 0.55;
const FONT_SIZE = 9.5;
const HEIGHT = 15;
const PADDING = 5;

/** Short words for what Istio's configuration does to a node, as Kiali's icons: routed, with a breaker, with faults. */
export function badgesOf({ features }: NodeTraits): string[] {
  const routed = features.includes("virtualservice");
  return [
    ...(routed ? ["VS"] : []),
    ...(features.includes("faultinjection") ? ["fault"] : []),
    ...(features.includes("circuitbreaker") ? ["CB"] : []),
    ...(features.includes("serviceentry") ? ["SE"] : []),
  ];
}

/** Draws each node's badges on its upper edge, from the right. */
export function drawBadges(
  context: CanvasRenderingContext2D,
  nodes: readonly (Box & Pick<GraphNode, "id">)[],
  badges: ReadonlyMap<string, readonly string[]>,
  view: View,
  palette: Palette,
  measure: (text: string) => number,
  faded: (id: string) => boolean,
): void {
  if (view.zoom < LEAST_ZOOM || badges.size === 0) return;
  context.font = `700 ${FONT_SIZE}px system-ui, sans-serif`;
  context.textBaseline = "middle";
  context.textAlign = "center";
  for (const node of nodes) {
    const words = badges.get(node.id);
    if (!words) continue;
    const { x, y, width } = toScreenBox(node, view);
    context.globalAlpha = faded(node.id) ? 0.25 : 1;
    let right = x + width - 8;
    for (const word of words.toReversed()) {
      const wide = measure(word) * 0.85 + PADDING * 2;
      context.fillStyle = palette.surface;
      context.strokeStyle = word === "fault" ? palette.muted : GATEWAY_COLOUR;
      context.lineWidth = 1.2;
      context.beginPath();
      context.roundRect(right - wide, y - HEIGHT / 2, wide, HEIGHT, HEIGHT / 2);
      context.fill();
      context.stroke();
      context.fillStyle = palette.ink;
      context.fillText(word, right - wide / 2, y + 0.5);
      right -= wide + 3;
    }
  }
  context.globalAlpha = 1;
  context.textAlign = "left";
}
