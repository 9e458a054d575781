import { type GraphNode, nodeName } from "../model.ts";

const FONT = "600 13px system-ui, sans-serif";
const HEIGHT = 58;
const MIN_WIDTH = 132;
/** Longer names are cut in the middle: beginnings and ends are what tells them apart. */
const MAX_WIDTH = 232;
const PADDING = 28;

let context: CanvasRenderingContext2D | null | undefined;

/** The room that a node takes, wide enough for its name. */
export function nodeSize(node: GraphNode): { width: number; height: number } {
  if (node.type === "unknown") return { width: 96, height: HEIGHT };
  const width = Math.max(...nodeText(node).split("\n").map(measure)) + PADDING;
  return { width: Math.min(Math.max(Math.ceil(width), MIN_WIDTH), MAX_WIDTH), height: HEIGHT };
}

/** A node's name and, where it has one, its version below. */
export function nodeText(node: GraphNode): string {
  const version = node.version && node.version !== "latest" && node.type !== "service" ? `\n${cut(node.version)}` : "";
  return `${cut(nodeName(node))}${version}`;
}

function cut(text: string): string {
  if (measure(text) <= MAX_WIDTH - PADDING) return text;
  let kept = text.length - 1;
  const shortened = () => `${text.slice(0, Math.ceil(kept / 2))}…${text.slice(text.length - Math.floor(kept / 2))}`;
  while (kept > 8 && measure(shortened()) > MAX_WIDTH - PADDING) kept--;
  return shortened();
}

function measure(text: string): number {
  context ??= document.createElement("canvas").getContext("2d");
  if (!context) return text.length * 8;
  context.font = FONT;
  return context.measureText(text).width;
}
