import type { Core } from "cytoscape";
import type { GraphEdge } from "../model.ts";
import { drawBadges } from "./badges.ts";
import { type Palette, palette } from "./colours.ts";
import { type Stream, drawDots, streamsOf } from "./dots.ts";
import { type Mark, drawMarks, drawNames, markAt, placeMarks, placeNames, textMeter } from "./marks.ts";
import type { FrameGate } from "./frames.ts";
import { Paths } from "./paths.ts";
import { LEAST_FONT, NODE_FONT } from "./style.ts";

/** With more nodes than these, seen from far away, the names of boxes say more than those of single nodes. */
const CROWD = 40;
/** A hand that drags the graph has come to rest after so long. */
const REST_MS = 120;

/** What the overlay shows besides the edges themselves. */
export interface OverlayState {
  edges: GraphEdge[];
  labels: ReadonlyMap<string, string>;
  durationSeconds: number;
  animation: boolean;
  padlocks: boolean;
  /** Words on nodes, by id. */
  badges: ReadonlyMap<string, readonly string[]>;
}

/**
 * Dots and marks above the graph, on two canvases: dots are drawn anew each frame, and only while some edge has traffic;
 * marks only when the view or the edges change; while the graph is dragged they move along as a picture, and are placed
 * anew when it rests. A page on which nothing moves draws nothing.
 */
export class Overlay {
  readonly #paths: Paths;
  readonly #measure = textMeter();
  #palette: Palette = palette();
  #state: OverlayState = { edges: [], labels: new Map(), durationSeconds: 60, animation: false, padlocks: false, badges: new Map() };
  #streams: Stream[] = [];
  #marks: Mark[] = [];
  #marksStale = true;
  /** The view that the marks were placed for, and how far it has been dragged since. */
  #placed = { zoom: 0, x: 0, y: 0 };
  #dragged = { x: 0, y: 0 };
  #rest: ReturnType<typeof setTimeout> | undefined;
  #frame = 0;
  #faded = new Set<string>();

  constructor(
    private readonly cy: Core,
    private readonly dots: HTMLCanvasElement,
    private readonly marks: HTMLCanvasElement,
    private readonly frames: FrameGate,
  ) {
    this.#paths = new Paths(cy);
    cy.on("viewport", () => this.#moved());
    cy.on("position add remove data bounds", () => this.refresh());
  }

  set(state: OverlayState): void {
    this.#state = state;
    this.#streams = state.animation ? streamsOf(state.edges, state.durationSeconds) : [];
    this.refresh();
  }

  /** Colours are the theme's. */
  recolour(): void {
    this.#palette = palette();
    this.refresh();
  }

  resize(width: number, height: number): void {
    for (const canvas of [this.dots, this.marks]) {
      canvas.width = width * window.devicePixelRatio;
      canvas.height = height * window.devicePixelRatio;
    }
    this.refresh();
  }

  refresh(): void {
    this.#marksStale = true;
    this.frames.wake();
    this.#frame ||= this.frames.request((time) => this.#draw(time));
  }

  markAt(x: number, y: number): Mark | undefined {
    return markAt(this.#marks, x - this.#dragged.x, y - this.#dragged.y);
  }

  stop(): void {
    clearTimeout(this.#rest);
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
  }

  #moved(): void {
    if (this.#marksStale || this.cy.zoom() !== this.#placed.zoom) {
      this.refresh();
      return;
    }
    this.frames.wake();
    const pan = this.cy.pan();
    this.#shift(pan.x - this.#placed.x, pan.y - this.#placed.y);
    clearTimeout(this.#rest);
    this.#rest = setTimeout(() => this.refresh(), REST_MS);
  }

  #shift(x: number, y: number): void {
    this.#dragged = { x, y };
    this.marks.style.transform = x === 0 && y === 0 ? "" : `translate(${x}px, ${y}px)`;
  }

  #draw(time: number): void {
    this.#frame = 0;
    const { cy, dots, marks } = this;
    const scale = window.devicePixelRatio;
    const [zoom, pan] = [cy.zoom(), cy.pan()];
    if (this.#marksStale) {
      this.#marksStale = false;
      this.#placed = { zoom, ...pan };
      this.#shift(0, 0);
      this.#faded = new Set(cy.edges(".faded").map((edge) => edge.id()));
      const nodes = cy.nodes(":childless").map((node) => ({
        id: node.id(),
        text: String(node.data("label")).split("\n")[0]!,
        x: node.position("x") - node.width() / 2,
        y: node.position("y") - node.height() / 2,
        width: node.width(),
        height: node.height(),
      }));
      const view = { zoom, pan };
      const boxes = cy.nodes(":parent").map((box) => ({
        id: box.id(),
        text: String(box.data("label")),
        x: box.position("x"),
        y: box.boundingBox({ includeLabels: false }).y1,
        width: 0,
        height: 20 / zoom,
      }));
      const far = zoom * NODE_FONT < LEAST_FONT;
      const other = cy.nodes().filter((node) => node.hasClass("far") !== far);
      if (other.nonempty()) cy.batch(() => void other.toggleClass("far", far));
      const names = far ? placeNames(nodes.length > CROWD ? [...boxes, ...nodes] : [...nodes, ...boxes], view, this.#measure) : [];
      this.#marks = placeMarks(this.#state.edges, this.#state.labels, this.#paths.all, nodes, names, view, this.#state.padlocks, this.#measure);
      const paper = marks.getContext("2d");
      if (paper) {
        paper.setTransform(scale, 0, 0, scale, 0, 0);
        paper.clearRect(0, 0, cy.width(), cy.height());
        drawBadges(paper, nodes, this.#state.badges, view, this.#palette, this.#measure, (id) => cy.getElementById(id).hasClass("faded"));
        drawNames(paper, names, this.#palette, (id) => cy.getElementById(id).hasClass("faded"));
        drawMarks(paper, this.#marks, this.#palette, this.#state.padlocks, (id) => this.#faded.has(id));
      }
    }
    const paper = dots.getContext("2d");
    if (paper) {
      paper.setTransform(1, 0, 0, 1, 0, 0);
      paper.clearRect(0, 0, dots.width, dots.height);
      paper.setTransform(scale * zoom, 0, 0, scale * zoom, scale * pan.x, scale * pan.y);
      drawDots(paper, this.#streams, this.#paths.all, time, zoom, (id) => this.#faded.has(id));
    }
    // Another frame may have been asked for meanwhile.
    if (this.#streams.length > 0) this.#frame ||= this.frames.request((next) => this.#draw(next));
  }
}
