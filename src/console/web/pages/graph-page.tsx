import { useMemo, useState } from "react";
import { withIdleNodes, type EdgeLabel } from "../graph/elements.ts";
import { GraphView } from "../graph/graph-view.tsx";
import type { Live } from "../live.ts";
import { useStored } from "../live.ts";
import type { Graph } from "../model.ts";
import { EdgePanel } from "../panels/edge-panel.tsx";
import { useHistory } from "../panels/history.ts";
import { NodePanel } from "../panels/node-panel.tsx";
import { SummaryPanel } from "../panels/summary-panel.tsx";

export interface GraphSettings {
  namespaces: string[];
  graphType: string;
  duration: string;
  serviceNodes: boolean;
}

interface GraphPageProps {
  live: Live;
  settings: GraphSettings;
  onSettings(settings: GraphSettings): void;
  theme: string;
}

const EMPTY: Graph = { nodes: [], edges: [] };

export function GraphPage({ live, settings, onSettings, theme }: GraphPageProps) {
  const [animation, setAnimation] = useStored("animation", true);
  const [padlocks, setPadlocks] = useStored("padlocks", true);
  const [idle, setIdle] = useStored("idle", true);
  const [label, setLabel] = useStored<EdgeLabel>("label", "rate");
  const [selected, setSelected] = useState<string>();
  const history = useHistory(live.update);
  const namespaces = live.update?.namespaces ?? settings.namespaces;
  const durationSeconds = live.update?.durationSeconds ?? 60;
  const graph = useMemo(() => {
    const base = live.update?.graph ?? EMPTY;
    return idle ? withIdleNodes(base, live.mesh, namespaces, settings.graphType) : base;
  }, [live.update, live.mesh, idle, settings.graphType]);
  const edge = graph.edges.find((e) => e.id === selected);
  const node = graph.nodes.find((n) => n.id === selected);
  const workloadOf = (id: string | undefined) => live.mesh?.workloads.find((w) => `workload/${w.namespace}/${w.workload}` === id);

  return (
    <div className="graph-page">
      <div className="toolbar" role="toolbar" aria-label="Graph settings">
        <NamespacePicker live={live} chosen={settings.namespaces} shown={namespaces} onChange={(chosen) => onSettings({ ...settings, namespaces: chosen })} />
        <Select label="Graph" value={settings.graphType} options={{ workload: "Workloads", app: "Apps", versionedApp: "Versioned apps", service: "Services" }} onChange={(graphType) => onSettings({ ...settings, graphType })} />
        <Select label="Last" value={settings.duration} options={{ "10s": "10 s", "60s": "1 min", "300s": "5 min", "600s": "10 min", "1800s": "30 min" }} onChange={(duration) => onSettings({ ...settings, duration })} />
        <Select label="Labels" value={label} options={{ rate: "Rate", p95: "Response time, p95", none: "None" }} onChange={(value) => setLabel(value as EdgeLabel)} />
        <Toggle label="Animation" value={animation} onChange={setAnimation} />
        <Toggle label="Security" value={padlocks} onChange={setPadlocks} />
        <Toggle label="Idle nodes" value={idle} onChange={setIdle} />
        <Toggle label="Service nodes" value={settings.serviceNodes} onChange={(serviceNodes) => onSettings({ ...settings, serviceNodes })} />
      </div>
      <div className="graph-body">
        <GraphView graph={graph} mesh={live.mesh} durationSeconds={durationSeconds} animation={animation} padlocks={padlocks} label={label} theme={theme} selected={selected} onSelect={setSelected} />
        <aside className="panel" aria-live="polite">
          {(edge || node) && <button type="button" className="close" aria-label="Close" title="Close" onClick={() => setSelected(undefined)}>×</button>}
          {edge ? (
            <EdgePanel edge={edge} graph={graph} history={history} target={workloadOf(edge.target)} durationSeconds={durationSeconds} onSelect={setSelected} />
          ) : node ? (
            <NodePanel node={node} graph={graph} workload={workloadOf(node.id)} trustDomain={live.mesh?.trustDomain ?? "cluster.local"} onSelect={setSelected} />
          ) : (
            <SummaryPanel graph={graph} mesh={live.mesh} namespaces={namespaces} durationSeconds={durationSeconds} onSelect={setSelected} />
          )}
        </aside>
      </div>
    </div>
  );
}

function NamespacePicker({ live, chosen, shown, onChange }: { live: Live; chosen: string[]; shown: string[]; onChange(chosen: string[]): void }) {
  const all = live.mesh?.namespaces.filter((n) => n.mesh || chosen.includes(n.name)) ?? [];
  const others = live.mesh?.namespaces.filter((n) => !all.includes(n)) ?? [];
  const toggle = (name: string) => onChange(shown.includes(name) ? shown.filter((n) => n !== name) : [...shown, name].sort());
  return (
    <details className="picker">
      <summary>Namespaces: {chosen.length === 0 ? "all of the mesh" : chosen.join(", ")}</summary>
      <div className="picker-list">
        {[...all, ...others].map((namespace) => (
          <label key={namespace.name}>
            <input type="checkbox" checked={shown.includes(namespace.name)} onChange={() => toggle(namespace.name)} />
            {namespace.name} {!namespace.mesh && <small>outside the mesh</small>}
          </label>
        ))}
        {chosen.length > 0 && <button type="button" onClick={() => onChange([])}>All of the mesh</button>}
      </div>
    </details>
  );
}

function Select({ label, value, options, onChange }: { label: string; value: string; options: Record<string, string>; onChange(value: string): void }) {
  return (
    <label className="select">
      <span>{label}</span>
      <select value={value} onChange={(event) => onChange(event.target.value)}>
        {Object.entries(options).map(([key, text]) => <option key={key} value={key}>{text}</option>)}
      </select>
    </label>
  );
}

function Toggle({ label, value, onChange }: { label: string; value: boolean; onChange(value: boolean): void }) {
  return (
    <label className="toggle">
      <input type="checkbox" checked={value} onChange={(event) => onChange(event.target.checked)} /> {label}
    </label>
  );
}
