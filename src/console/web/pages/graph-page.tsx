import { useMemo, useState } from "react";
import { type EdgeLabel, withIdleNodes } from "../graph/elements.ts";
import { matching, parseFind } from "../graph/find.ts";
import { GraphView } from "../graph/graph-view.tsx";
import type { LayoutName } from "../graph/layouts.ts";
import { sceneOf, without } from "../graph/scene.ts";
import { ReplayBar, usePast } from "../graph/replay.tsx";
import { useStored, useWatch } from "../live.ts";
import type { Graph, GraphAnswer, MeshState, Traits } from "../model.ts";
import { useRoute } from "../navigation.tsx";
import { boxOf } from "../graph/layout.ts";
import { BoxPanel } from "../panels/box-panel.tsx";
import { EdgePanel } from "../panels/edge-panel.tsx";
import { useHistory } from "../panels/history.ts";
import { NodePanel, membersOf } from "../panels/node-panel.tsx";
import { SummaryPanel } from "../panels/summary-panel.tsx";
import { Menu, NamespacePicker, Search, Select, Toggle } from "../parts/controls.tsx";
import { FindHelp } from "../parts/find-help.tsx";
import { Problem } from "../parts/states.tsx";

interface GraphSettings {
  namespaces: string[];
  graphType: string;
  duration: string;
  serviceNodes: boolean;
}

const DEFAULTS: GraphSettings = { namespaces: [], graphType: "workload", duration: "60s", serviceNodes: false };
const EMPTY: Graph = { nodes: [], edges: [] };
const TYPES = { workload: "Workloads", app: "Apps", versionedApp: "Versioned apps", service: "Services" };
const DURATIONS = { "10s": "10 s", "60s": "1 min", "300s": "5 min", "600s": "10 min", "1800s": "30 min", "3600s": "1 h" };

export function GraphPage({ mesh, theme }: { mesh: MeshState | undefined; theme: string }) {
  const { query } = useRoute();
  const [stored, setSettings] = useStored<GraphSettings>("graph", DEFAULTS);
  // A link names what it is about; what was chosen here stays for the next visit.
  const [linked, setLinked] = useState(() => fromQuery(query));
  const settings = { ...DEFAULTS, ...stored, ...linked };
  const change = (part: Partial<GraphSettings>) => {
    setLinked({});
    setSettings({ ...settings, ...part });
  };
  const [animation, setAnimation] = useStored("animation", true);
  const [padlocks, setPadlocks] = useStored("padlocks", true);
  const [badges, setBadges] = useStored("badges", true);
  const [idle, setIdle] = useStored("idle", true);
  const [label, setLabel] = useStored<EdgeLabel>("label", "rate");
  const [find, setFind] = useState("");
  const [hide, setHide] = useState("");
  const [selected, setSelected] = useState<string | undefined>(() => query.get("edge") ?? undefined);
  const [layout, setLayout] = useStored<LayoutName | "AUTO">("layout", "AUTO");
  const [boxes, setBoxes] = useStored("boxes", true);

  const parameters = new URLSearchParams({
    namespaces: settings.namespaces.join(","),
    graphType: settings.graphType,
    duration: settings.duration,
    injectServiceNodes: String(settings.serviceNodes),
    throughput: String(label === "throughput"),
  });
  const [at, setAt] = useState<number>();
  const live = useWatch<GraphAnswer>(`/graph?${parameters}`);
  const past = usePast(parameters.toString(), at);
  const answer = at === undefined ? live : past;
  const history = useHistory(answer);
  // Without an answer of the metrics store the mesh itself is still known.
  const known = settings.namespaces.length > 0 ? settings.namespaces : (mesh?.namespaces.filter((n) => n.mesh).map((n) => n.name) ?? []);
  const namespaces = answer.data?.namespaces ?? known;
  const traits = useWatch<Traits>("/graph/traits").data;
  const ready = answer.data !== undefined || answer.problem !== undefined;
  const durationSeconds = answer.data?.durationSeconds ?? Number.parseInt(settings.duration, 10);
  const whole = useMemo(() => {
    const base = answer.data?.graph ?? EMPTY;
    // Until the first answer nothing is known to be idle.
    return idle && ready ? withIdleNodes(base, mesh, namespaces, settings.graphType, traits) : base;
  }, [answer.data, ready, mesh, traits, idle, settings.graphType, namespaces.join()]);
  const [hiding, finding] = useMemo(() => [parseFind(hide), parseFind(find)], [hide, find]);
  const graph = useMemo(() => {
    if (!hiding.match) return whole;
    const hidden = matching(hiding.match, sceneOf(whole, mesh, traits, namespaces));
    return without(whole, hidden.nodes, hidden.edges);
  }, [whole, hiding, mesh, traits, namespaces.join()]);
  const found = useMemo(() => {
    if (!finding.match) return undefined;
    const { nodes, edges } = matching(finding.match, sceneOf(graph, mesh, traits, namespaces));
    return nodes.union(edges);
  }, [graph, finding, mesh, traits, namespaces.join()]);
  const edge = graph.edges.find((e) => e.id === selected);
  const node = graph.nodes.find((n) => n.id === selected);
  const box = selected?.startsWith("box/") && graph.nodes.some((n) => boxOf(n) === selected) ? selected.slice(4) : undefined;
  const workloadOf = (id: string | undefined) => mesh?.workloads.find((w) => `workload/${w.namespace}/${w.workload}` === id);

  return (
    <div className="graph-page">
      <h1 className="unseen">Traffic graph</h1>
      <div className="toolbar" role="toolbar" aria-label="Graph settings">
        <NamespacePicker mesh={mesh} chosen={settings.namespaces} shown={namespaces} onChange={(chosen) => change({ namespaces: chosen })} />
        <Select label="Graph" value={settings.graphType} options={TYPES} onChange={(graphType) => change({ graphType })} />
        <Select label="Last" value={settings.duration} options={DURATIONS} onChange={(duration) => change({ duration })} />
        <Select
          label="Labels"
          value={label}
          options={{ rate: "Rate", p95: "Time, p95", throughput: "Throughput", none: "None" }}
          onChange={(value) => setLabel(value as EdgeLabel)}
        />
        <Menu label="Display">
          <Toggle label="Animation: dots at the real rate" value={animation} onChange={setAnimation} />
          <Toggle label="Security: padlocks and crosses" value={padlocks} onChange={setPadlocks} />
          <Toggle label="Routing: VirtualServices, circuit breakers" value={badges} onChange={setBadges} />
          <Toggle label="Idle workloads" value={idle} onChange={setIdle} />
          <Toggle label="Namespace boxes" value={boxes} onChange={setBoxes} />
          <Toggle label="Service nodes" value={settings.serviceNodes} onChange={(serviceNodes) => change({ serviceNodes })} />
        </Menu>
        <Select label="Layout" value={layout} options={LAYOUTS} onChange={(value) => setLayout(value as LayoutName | "AUTO")} />
        <Search label="Find" value={find} onChange={setFind} problem={finding.problem} examples={EXAMPLES} count={found?.size} />
        <Search label="Hide" value={hide} onChange={setHide} problem={hiding.problem} examples={EXAMPLES} />
        <FindHelp />
        {at === undefined && (
          <button type="button" className="button" onClick={() => setAt(Math.floor(Date.now() / 1000) - 300)}>
            Replay…
          </button>
        )}
      </div>
      {at !== undefined && <ReplayBar at={at} onMove={setAt} onEnd={() => setAt(undefined)} />}
      <Problem of={answer} />
      <div className="graph-body">
        <GraphView
          graph={graph}
          mesh={mesh}
          traits={badges ? traits : undefined}
          durationSeconds={durationSeconds}
          animation={animation}
          padlocks={padlocks}
          label={label}
          theme={theme}
          found={found}
          layout={layout}
          boxes={boxes}
          selected={selected}
          onSelect={setSelected}
          kind={`${settings.graphType}${settings.serviceNodes ? "+services" : ""}`}
        />
        <aside className="panel" aria-label={edge ? "Edge" : node ? "Node" : box ? "Namespace" : "Summary"}>
          {(edge || node || box) && (
            <button type="button" className="close" aria-label="Close" title="Close" onClick={() => setSelected(undefined)}>
              ×
            </button>
          )}
          {edge ? (
            <EdgePanel
              edge={edge}
              graph={graph}
              history={history}
              source={workloadOf(edge.source)}
              target={workloadOf(edge.target)}
              durationSeconds={durationSeconds}
              onSelect={setSelected}
            />
          ) : node ? (
            <NodePanel
              node={node}
              graph={graph}
              traits={traits?.[node.id]}
              workload={workloadOf(node.id)}
              members={membersOf(node, mesh)}
              trustDomain={mesh?.trustDomain ?? "cluster.local"}
              onSelect={setSelected}
            />
          ) : box ? (
            <BoxPanel namespace={box} graph={graph} mesh={mesh} onSelect={setSelected} />
          ) : (
            <SummaryPanel
              graph={graph}
              ready={answer.data !== undefined}
              mesh={mesh}
              namespaces={namespaces}
              durationSeconds={durationSeconds}
              onSelect={setSelected}
            />
          )}
        </aside>
      </div>
    </div>
  );
}

const LAYOUTS: Record<LayoutName | "AUTO", string> = { AUTO: "Flow", RIGHT: "Flow, right", DOWN: "Flow, down", GRID: "Grid", CIRCLE: "Circle" };
const EXAMPLES = ["!mtls", "vs or cb", "label:version = v1", "name contains web", "refused", "error > 0", "http > 5", "rt > 100", "ns = default and idle"];

function fromQuery(query: URLSearchParams): Partial<GraphSettings> {
  const namespaces = query.get("namespaces");
  const [graphType, duration] = [query.get("graphType"), query.get("duration")];
  return {
    ...(namespaces && { namespaces: namespaces.split(",").filter(Boolean) }),
    ...(graphType && graphType in TYPES && { graphType }),
    ...(duration && (duration in DURATIONS || `${duration}s` in DURATIONS) && { duration: duration in DURATIONS ? duration : `${duration}s` }),
  };
}
