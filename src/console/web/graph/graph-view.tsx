import cytoscape, { type Core } from "cytoscape";
import { useEffect, useMemo, useRef, useState } from "react";
import type { Graph, GraphEdge, MeshState } from "../model.ts";
import { type EdgeLabel, toElements } from "./elements.ts";
import { type Placement, layout } from "./layout.ts";
import { drawOverlay } from "./overlay.ts";
import { graphStyle } from "./style.ts";

export interface GraphViewProps {
  graph: Graph;
  mesh: MeshState | undefined;
  durationSeconds: number;
  animation: boolean;
  padlocks: boolean;
  label: EdgeLabel;
  theme: string;
  selected: string | undefined;
  onSelect(id: string | undefined): void;
}

/** Room around the graph when it is fitted, in pixels. */
const FIT_PADDING = 48;
/** A graph of two nodes must not fill the screen. */
const MAX_FIT_ZOOM = 1.25;

/** The traffic graph: places change only when nodes or edges come or go, everything else is repainted in place. */
export function GraphView(props: GraphViewProps) {
  const { graph, mesh, label, theme, selected, onSelect } = props;
  const container = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const cy = useRef<Core | undefined>(undefined);
  const [placement, setPlacement] = useState<Placement>();
  const shape = useMemo(() => [...graph.nodes.map((n) => n.id).sort(), ...graph.edges.map((e) => e.id).sort()].join("\n"), [graph]);
  const edges = useMemo(() => new Map<string, GraphEdge>(graph.edges.map((edge) => [edge.id, edge])), [graph]);
  const frame = useRef({ edges, props });
  frame.current = { edges, props };

  useEffect(() => {
    const core = cytoscape({ container: container.current, minZoom: 0.2, maxZoom: 3, boxSelectionEnabled: false, style: graphStyle() });
    cy.current = core;
    core.on("tap", (event) => {
      const target = event.target as { id?(): string; isParent?(): boolean };
      onSelect(event.target === core || target.isParent?.() ? undefined : target.id?.());
    });
    core.on("mouseover", "edge, node", () => container.current && (container.current.style.cursor = "pointer"));
    core.on("mouseout", "edge, node", () => container.current && (container.current.style.cursor = "default"));
    const sized = new ResizeObserver(() => {
      const [box, paper] = [container.current, canvas.current];
      if (!box || !paper) return;
      paper.width = box.clientWidth * window.devicePixelRatio;
      paper.height = box.clientHeight * window.devicePixelRatio;
      core.resize();
      fit(core);
    });
    sized.observe(container.current!);
    // Who asked their system for less motion gets marks without dots.
    const still = window.matchMedia("(prefers-reduced-motion: reduce)");
    let request = requestAnimationFrame(function draw(time) {
      const context = canvas.current?.getContext("2d");
      const { edges: current, props: now } = frame.current;
      if (context) drawOverlay(context, core, current, time, { animation: now.animation && !still.matches, padlocks: now.padlocks, durationSeconds: now.durationSeconds });
      request = requestAnimationFrame(draw);
    });
    return () => {
      cancelAnimationFrame(request);
      sized.disconnect();
      core.destroy();
    };
  }, []);

  useEffect(() => {
    let current = true;
    void layout(graph).then((placed) => current && setPlacement(placed));
    return () => {
      current = false;
    };
  }, [shape]);

  useEffect(() => {
    const core = cy.current;
    if (!core || !placement) return;
    const wanted = toElements(graph, placement, mesh, label);
    const ids = new Set(wanted.map((element) => element.data.id));
    let changed = false;
    core.batch(() => {
      core.elements().filter((element) => !ids.has(element.id())).remove();
      for (const element of wanted) {
        const known = core.getElementById(element.data.id!);
        if (known.empty()) {
          // An edge whose ends are still being placed comes with the next round.
          if (element.data.source && (core.getElementById(element.data.source).empty() || core.getElementById(element.data.target!).empty())) continue;
          core.add(element);
          changed = true;
        } else {
          known.data(element.data);
          if (element.position && known.isNode() && !known.isParent()) {
            const { x, y } = known.position();
            if (x !== element.position.x || y !== element.position.y) {
              known.position(element.position);
              changed = true;
            }
          }
        }
      }
    });
    if (changed) fit(core);
  }, [graph, placement, mesh, label]);

  useEffect(() => {
    cy.current?.style(graphStyle());
  }, [theme]);

  useEffect(() => {
    const core = cy.current;
    if (!core) return;
    core.elements().unselect().removeClass("faded");
    const element = selected === undefined ? undefined : core.getElementById(selected);
    if (!element || element.empty()) return;
    element.select();
    const near = element.closedNeighborhood().union(element.connectedNodes());
    core.elements().difference(near.union(near.parents())).addClass("faded");
  }, [selected, placement]);

  return (
    <div className="graph-view">
      <div ref={container} className="graph-canvas" role="img" aria-label={`Traffic graph: ${graph.nodes.length} nodes, ${graph.edges.length} edges`} />
      <canvas ref={canvas} className="graph-overlay" aria-hidden="true" />
      <div className="graph-tools" role="toolbar" aria-label="Graph view">
        <button type="button" title="Fit the graph" aria-label="Fit the graph" onClick={() => cy.current && fit(cy.current)}>⤢</button>
        <button type="button" title="Zoom in" aria-label="Zoom in" onClick={() => zoom(cy.current, 1.25)}>+</button>
        <button type="button" title="Zoom out" aria-label="Zoom out" onClick={() => zoom(cy.current, 0.8)}>−</button>
        <button type="button" title="Save as PNG" aria-label="Save as PNG" onClick={() => save(cy.current, canvas.current)}>⬇</button>
      </div>
    </div>
  );
}

function fit(core: Core): void {
  if (core.elements().empty()) return;
  core.fit(undefined, FIT_PADDING);
  if (core.zoom() > MAX_FIT_ZOOM) {
    core.zoom(MAX_FIT_ZOOM);
    core.center();
  }
}

function zoom(core: Core | undefined, factor: number): void {
  core?.zoom({ level: core.zoom() * factor, renderedPosition: { x: core.width() / 2, y: core.height() / 2 } });
}

/** What is on the screen, marks included, as a file. */
function save(core: Core | undefined, overlay: HTMLCanvasElement | null): void {
  if (!core || !overlay) return;
  const paper = document.createElement("canvas");
  paper.width = overlay.width;
  paper.height = overlay.height;
  const context = paper.getContext("2d")!;
  const picture = new Image();
  picture.onload = () => {
    context.drawImage(picture, 0, 0, paper.width, paper.height);
    context.drawImage(overlay, 0, 0);
    const link = document.createElement("a");
    link.download = `mesh-${new Date().toISOString().replace(/[:.]/g, "-")}.png`;
    link.href = paper.toDataURL("image/png");
    link.click();
  };
  picture.src = core.png({ bg: getComputedStyle(document.documentElement).getPropertyValue("--canvas").trim(), scale: window.devicePixelRatio });
}
