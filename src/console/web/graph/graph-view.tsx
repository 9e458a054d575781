import cytoscape, { type Core, type ElementDefinition } from "cytoscape";
import { type KeyboardEvent, useEffect, useMemo, useRef, useState } from "react";
import { readStored, writeStored } from "../live.ts";
import type { Graph, MeshState, Traits } from "../model.ts";
import { Arrangement } from "./arrangement.ts";
import { badgesOf } from "./badges.ts";
import { type EdgeLabel, edgeText, toElements } from "./elements.ts";
import { fit, nearest, savePicture, zoomBy } from "./camera.ts";
import { installFrameGate } from "./frames.ts";
import type { Layout } from "./layout.ts";
import type { LayoutName } from "./layouts.ts";
import { nodeSize } from "./node-text.ts";
import { Overlay } from "./overlay.ts";
import { graphStyle } from "./style.ts";

export interface GraphViewProps {
  graph: Graph;
  mesh: MeshState | undefined;
  /** What objects say of nodes; left away where no badges are wanted. */
  traits?: Traits | undefined;
  durationSeconds: number;
  animation: boolean;
  padlocks: boolean;
  label: EdgeLabel;
  theme: string;
  /** Nodes and edges that an expression has found; the others step back. */
  found: ReadonlySet<string> | undefined;
  selected: string | undefined;
  onSelect(id: string | undefined): void;
  /** Keeps this graph's places apart from another's. */
  kind: string;
  /** "AUTO" follows the flow, to the right or down as the screen has room. */
  layout?: LayoutName | "AUTO";
  /** Whether each namespace has a box; on a circle none has. */
  boxes?: boolean;
}

/** A screen that is clearly higher than wide has the flow run down. */
const PORTRAIT = 0.85;
/** A move that the eye can follow. */
const MOVE_MS = 380;
/** Flows remembered from earlier visits. */
const MAX_LEARNED = 400;

const reducedMotion = () => window.matchMedia("(prefers-reduced-motion: reduce)").matches;

/** The traffic graph: places change only when nodes or flows come that have none yet, everything else is repainted in place. */
export function GraphView(props: GraphViewProps) {
  const { graph, mesh, label, theme, selected, onSelect, kind, found, layout = "AUTO" } = props;
  const boxed = (props.boxes ?? true) && layout !== "CIRCLE";
  const container = useRef<HTMLDivElement>(null);
  const dots = useRef<HTMLCanvasElement>(null);
  const marks = useRef<HTMLCanvasElement>(null);
  const view = useRef<{ core: Core; overlay: Overlay } | undefined>(undefined);
  /** Once a person has moved the view it is theirs. */
  const steered = useRef(false);
  const [portrait, setPortrait] = useState(false);
  const learned = useRef<Layout | undefined>(undefined);
  const arrangement = useMemo(() => new Arrangement(readStored<{ source: string; target: string }[]>(`flows.${kind}`) ?? [], nodeSize), [kind]);
  const latest = useRef(props);
  latest.current = props;

  useEffect(() => {
    const frames = installFrameGate();
    const core = cytoscape({
      container: container.current,
      minZoom: 0.1,
      maxZoom: 3,
      boxSelectionEnabled: false,
      autoungrabify: true,
      style: graphStyle(),
      pixelRatio: "auto",
    });
    const overlay = new Overlay(core, dots.current!, marks.current!, frames);
    view.current = { core, overlay };
    core.on("tap", (event) => {
      const target = event.target as { id?(): string; isParent?(): boolean };
      const { x, y } = event.renderedPosition;
      const mark = overlay.markAt(x, y)?.id;
      latest.current.onSelect(mark ?? (event.target === core ? undefined : target.id?.()));
    });
    const box = container.current!;
    core.on("mousemove", (event) => {
      const target = event.target as { isParent?(): boolean };
      const hit = overlay.markAt(event.renderedPosition.x, event.renderedPosition.y) || (event.target !== core && !target.isParent?.());
      box.style.cursor = hit ? "pointer" : "default";
    });
    core.on("dragpan pinchzoom scrollzoom", () => (steered.current = true));
    const sized = new ResizeObserver(() => {
      if (box.clientWidth === 0 || box.clientHeight === 0) return;
      overlay.resize(box.clientWidth, box.clientHeight);
      core.resize();
      setPortrait(box.clientWidth / box.clientHeight < PORTRAIT);
      if (!steered.current) fit(core);
    });
    sized.observe(box);
    return () => {
      sized.disconnect();
      overlay.stop();
      core.destroy();
      frames.remove();
      view.current = undefined;
    };
  }, []);

  const placed = useMemo(
    () => arrangement.update(graph, layout === "AUTO" ? (portrait ? "DOWN" : "RIGHT") : layout, boxed),
    [graph, arrangement, portrait, layout, boxed],
  );

  useEffect(() => {
    if (learned.current === placed) return;
    learned.current = placed;
    writeStored(`flows.${kind}`, arrangement.flows.slice(-MAX_LEARNED));
  }, [placed, arrangement, kind]);

  useEffect(() => {
    const now = view.current;
    if (!now) return;
    const moved = apply(now.core, toElements(graph, placed, mesh, boxed));
    if (moved && !steered.current) fit(now.core, moved === "all" || reducedMotion() ? 0 : MOVE_MS, placed.nodes);
  }, [graph, placed, mesh, boxed]);

  useEffect(() => {
    view.current?.overlay.set({
      edges: graph.edges,
      labels: new Map(graph.edges.map((edge) => [edge.id, edgeText(edge, label)])),
      durationSeconds: props.durationSeconds,
      // Who asked their system for less motion gets marks without dots.
      animation: props.animation && !reducedMotion(),
      padlocks: props.padlocks,
      badges: new Map(graph.nodes.flatMap(({ id }) => (props.traits?.[id] ? [[id, badgesOf(props.traits[id])]] : []))),
    });
  }, [graph, label, props.durationSeconds, props.animation, props.padlocks, props.traits]);

  useEffect(() => {
    view.current?.core.style(graphStyle());
    view.current?.overlay.recolour();
  }, [theme]);

  useEffect(() => {
    const core = view.current?.core;
    if (!core) return;
    core.elements().unselect().removeClass("faded");
    const element = selected === undefined ? undefined : core.getElementById(selected);
    if (element?.nonempty()) {
      element.select();
      const near =
        element.isNode() && element.isParent()
          ? element.children().union(element.children().connectedEdges()).union(element.children().neighborhood())
          : element.closedNeighborhood().union(element.connectedNodes());
      core.elements().difference(near.union(near.parents())).addClass("faded");
    } else if (found) {
      const kept = core.elements().filter((candidate) => found.has(candidate.id()));
      core.elements().difference(kept.union(kept.parents()).union(kept.connectedNodes())).addClass("faded");
    }
    view.current?.overlay.refresh();
  }, [selected, placed, found, graph]);

  useEffect(() => {
    // Another layout is a new picture: whoever had moved the old one sees the whole of it first.
    steered.current = false;
    if (view.current) fit(view.current.core, 0, placed.nodes);
  }, [layout, boxed]);

  const refit = () => {
    steered.current = false;
    if (view.current) fit(view.current.core);
  };
  const zoom = (factor: number) => {
    steered.current = true;
    if (view.current) zoomBy(view.current.core, factor);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.target !== event.currentTarget || event.ctrlKey || event.metaKey || event.altKey) return;
    const direction = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key] as [number, number] | undefined;
    if (direction && view.current) onSelect(nearest(view.current.core, selected, direction) ?? selected);
    else if (event.key === "Escape") onSelect(undefined);
    else if (event.key === "+" || event.key === "=") zoom(1.25);
    else if (event.key === "-") zoom(0.8);
    else if (event.key === "0") refit();
    else return;
    event.preventDefault();
  };

  return (
    <div
      className="graph-view"
      role="group"
      tabIndex={0}
      aria-label="Traffic graph. Arrow keys go from workload to workload, Escape lets go, plus and minus zoom, 0 fits."
      onKeyDown={onKeyDown}
    >
      <div ref={container} className="graph-canvas" role="img" aria-label={`Traffic graph: ${graph.nodes.length} nodes, ${graph.edges.length} edges`} />
      <canvas ref={dots} className="graph-overlay graph-dots" aria-hidden="true" />
      <canvas ref={marks} className="graph-overlay graph-marks" aria-hidden="true" />
      <div className="graph-tools" role="toolbar" aria-label="Graph view">
        <button type="button" title="Fit the graph (0)" aria-label="Fit the graph" onClick={refit}>
          ⤢
        </button>
        <button type="button" title="Zoom in (+)" aria-label="Zoom in" onClick={() => zoom(1.25)}>
          +
        </button>
        <button type="button" title="Zoom out (−)" aria-label="Zoom out" onClick={() => zoom(0.8)}>
          −
        </button>
        <button
          type="button"
          title="Save as PNG"
          aria-label="Save as PNG"
          onClick={() => view.current && savePicture(view.current.core, [dots.current!, marks.current!])}
        >
          ⬇
        </button>
      </div>
    </div>
  );
}

/** Brings the drawn elements in line with the wanted ones. "all" when there were none before, "some" when nodes came or moved. */
function apply(core: Core, wanted: ElementDefinition[]): "all" | "some" | undefined {
  const ids = new Set(wanted.map((element) => element.data.id));
  const first = core.elements().empty();
  const moves: { id: string; position: { x: number; y: number } }[] = [];
  let added = false;
  core.batch(() => {
    core
      .elements()
      .filter((element) => !ids.has(element.id()))
      .remove();
    for (const element of wanted) {
      const known = core.getElementById(element.data.id!);
      if (known.empty()) {
        core.add(element);
        added ||= element.data.source === undefined;
        continue;
      }
      known.data(element.data);
      if (known.isNode() && (known.parent().first().id() ?? undefined) !== (element.data.parent as string | undefined))
        known.move({ parent: (element.data.parent as string | undefined) ?? null });
      if (!element.position || !known.isNode() || known.isParent()) continue;
      const { x, y } = known.position();
      if (Math.abs(x - element.position.x) > 0.5 || Math.abs(y - element.position.y) > 0.5) moves.push({ id: element.data.id!, position: element.position });
    }
  });
  for (const { id, position } of moves) {
    const node = core.getElementById(id);
    node.stop(true);
    if (reducedMotion() || first) node.position(position);
    else node.animate({ position }, { duration: MOVE_MS, easing: "ease-in-out" });
  }
  return first && wanted.length > 0 ? "all" : added || moves.length > 0 ? "some" : undefined;
}
