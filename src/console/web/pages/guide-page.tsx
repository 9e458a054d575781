import { useEffect, useMemo, useState } from "react";
import type { GuideAnswer } from "../../api/guide-routes.ts";
import type { StepState } from "../../guide/index.ts";
import { withIdleNodes } from "../graph/elements.ts";
import { GraphView } from "../graph/graph-view.tsx";
import { useMarks } from "../guide/marks.ts";
import { Step } from "../guide/step.tsx";
import { useWatch } from "../live.ts";
import type { GraphAnswer, MeshState } from "../model.ts";
import { Link, useRoute } from "../navigation.tsx";
import { EdgePanel } from "../panels/edge-panel.tsx";
import { useHistory } from "../panels/history.ts";
import { NodePanel } from "../panels/node-panel.tsx";
import { Empty, Loading, Problem } from "../parts/states.tsx";

interface PageProps {
  mesh: MeshState | undefined;
  theme: string;
}

/** The guides there are; the first one where none is chosen. */
export function GuidePage(props: PageProps) {
  const { parts } = useRoute();
  const [guides, setGuides] = useState<{ id: string; title: string }[]>();
  useEffect(() => {
    void fetch("/kiali/api/guides")
      .then(async (answer) => setGuides(answer.ok ? ((await answer.json()) as { id: string; title: string }[]) : []))
      .catch(() => setGuides([]));
  }, []);
  if (!guides) return <Loading what="the guide" />;
  const chosen = guides.find(({ id }) => id === parts[1]) ?? guides[0];
  if (!chosen)
    return (
      <Empty title="There is no guide here">
        <p>A guide is a file beside the console; this one was installed without any.</p>
        <p>
          <Link to="/graph" className="link">
            To the traffic graph
          </Link>
        </p>
      </Empty>
    );
  return <OneGuide key={chosen.id} id={chosen.id} {...props} />;
}

function OneGuide({ id, mesh, theme }: PageProps & { id: string }) {
  const guide = useWatch<GuideAnswer>(`/guides/${id}`);
  const { marks, add, observe, restart } = useMarks(`guide.${id}.${guide.data?.mesh ?? ""}`);
  const states = useWatch<StepState[]>(`/guides/${id}/state?since=${marks.since}`);
  const [opened, setOpened] = useState<number>();
  useEffect(() => {
    if (states.data && guide.data) observe(states.data);
  }, [states.data, guide.data]);
  if (!guide.data)
    return guide.problem ? (
      <Empty title="The guide cannot be shown">
        <p>{guide.problem.message}</p>
      </Empty>
    ) : (
      <Loading what="the guide" />
    );
  const { title, about, steps, missing, hint } = guide.data;
  const next = steps.find(({ number }) => !marks.done[number])?.number;
  const open = opened ?? next;
  const done = steps.filter(({ number }) => marks.done[number]).length;
  return (
    <div className="guide">
      <section className="guide-steps" aria-label="Steps" tabIndex={0}>
        <h1>{title}</h1>
        <p className="muted">{about}</p>
        <p className="guide-progress">
          <progress max={steps.length} value={done} aria-label="Steps done" />{" "}
          <strong role="status">
            {done} of {steps.length} done
          </strong>{" "}
          {done > 0 && (
            <button
              type="button"
              className="button"
              onClick={() => {
                restart();
                setOpened(undefined);
              }}
            >
              Begin anew
            </button>
          )}
        </p>
        {missing.length > 0 && (
          <p className="notice notice-warn">
            Not all that the guide is about is there: {missing.join(", ")}. To set it up: <code>{hint}</code>
          </p>
        )}
        <Problem of={states} />
        <ol className="plain">
          {steps.map((step, i) => (
            <li key={step.number}>
              {step.section !== steps[i - 1]?.section && <h2>{step.section}</h2>}
              <ul className="plain">
                <Step
                  guide={id}
                  step={step}
                  state={states.data?.find(({ number }) => number === step.number)}
                  mark={marks.done[step.number]}
                  open={open === step.number}
                  onOpen={() => setOpened(open === step.number ? 0 : step.number)}
                  onNext={next === undefined ? undefined : () => setOpened(undefined)}
                  onRun={() => setOpened(step.number)}
                  onShown={(evidence) => add(step.number, evidence)}
                />
              </ul>
            </li>
          ))}
        </ol>
      </section>
      <GuideGraph mesh={mesh} theme={theme} />
    </div>
  );
}

/** The whole mesh as it is now, with what was clicked below it. */
function GuideGraph({ mesh, theme }: PageProps) {
  const answer = useWatch<GraphAnswer>("/graph?graphType=workload&duration=60s");
  const history = useHistory(answer);
  const [selected, setSelected] = useState<string>();
  const graph = useMemo(
    () => withIdleNodes(answer.data?.graph ?? { nodes: [], edges: [] }, answer.data && mesh, answer.data?.namespaces ?? [], "workload"),
    [answer.data, mesh],
  );
  const workloadOf = (node: string | undefined) => mesh?.workloads.find((w) => `workload/${w.namespace}/${w.workload}` === node);
  const edge = graph.edges.find((candidate) => candidate.id === selected);
  const node = graph.nodes.find((candidate) => candidate.id === selected);
  return (
    <section className="guide-graph" aria-label="The mesh now">
      <GraphView
        graph={graph}
        mesh={mesh}
        durationSeconds={60}
        animation
        padlocks
        label="rate"
        theme={theme}
        found={undefined}
        selected={selected}
        onSelect={setSelected}
        kind="workload"
      />
      {(edge || node) && (
        <aside className="panel" aria-label={edge ? "Edge" : "Node"}>
          <button type="button" className="close" aria-label="Close" title="Close" onClick={() => setSelected(undefined)}>
            ×
          </button>
          {edge ? (
            <EdgePanel
              edge={edge}
              graph={graph}
              history={history}
              source={workloadOf(edge.source)}
              target={workloadOf(edge.target)}
              durationSeconds={60}
              onSelect={setSelected}
            />
          ) : (
            <NodePanel
              node={node!}
              graph={graph}
              workload={workloadOf(node!.id)}
              members={[]}
              trustDomain={mesh?.trustDomain ?? "cluster.local"}
              onSelect={setSelected}
            />
          )}
        </aside>
      )}
    </section>
  );
}
