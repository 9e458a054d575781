import { useWatch } from "../live.ts";
import {
  FLAG_TEXT,
  type Graph,
  type GraphAnswer,
  type GraphEdge,
  byteRate,
  edgeState,
  errorShare,
  formatBytes,
  formatMs,
  formatRate,
  nodeName,
  refusalText,
  refusedAttempts,
  requestRate,
} from "../model.ts";
import { Link, nodePath } from "../navigation.tsx";
import { EDGE_LOCK, EDGE_WORD } from "../panels/edge-rows.tsx";
import { Lock } from "../panels/lock.tsx";
import { Loading, Problem } from "../parts/states.tsx";
import { type Column, Table } from "../parts/table.tsx";

interface Row {
  edge: GraphEdge;
  graph: Graph;
  other: string;
}

const columns = (end: string): Column<Row>[] => [
  { title: end, value: ({ graph, other }) => nameOf(graph, other), cell: ({ graph, other }) => <NodeLink graph={graph} id={other} /> },
  {
    title: "Security",
    value: ({ edge }) => edgeState(edge),
    cell: ({ edge }) => (
      <span className="badge-text">
        <Lock kind={EDGE_LOCK[edgeState(edge)]} label="" /> {EDGE_WORD[edgeState(edge)]}
      </span>
    ),
  },
  {
    title: "Rate",
    number: true,
    value: ({ edge }) => requestRate(edge),
    cell: ({ edge }) =>
      requestRate(edge) > 0
        ? formatRate(requestRate(edge))
        : byteRate(edge) > 0
          ? formatBytes(byteRate(edge))
          : refusedAttempts(edge) > 0
            ? `${refusedAttempts(edge)} refused`
            : "–",
  },
  {
    title: "Errors",
    number: true,
    value: ({ edge }) => errorShare(edge),
    cell: ({ edge }) =>
      edge.traffic.length === 0 ? "–" : <span className={errorShare(edge) > 0 ? "bad" : undefined}>{(errorShare(edge) * 100).toFixed(1)}%</span>,
  },
  {
    title: "p95",
    number: true,
    value: ({ edge }) => edge.responseTimes.p95 ?? 0,
    cell: ({ edge }) => (edge.responseTimes.p95 === undefined ? "–" : formatMs(edge.responseTimes.p95)),
  },
  {
    title: "Answers",
    cell: ({ edge }) => (
      <span className="labels">
        {edge.traffic.map((t) => (
          <span
            key={`${t.protocol}${t.code}${t.flags}`}
            className="label"
            title={t.flags
              .split(",")
              .map((flag) => FLAG_TEXT[flag] ?? "")
              .filter(Boolean)
              .join(", ")}
          >
            {t.protocol} {t.code}
            {t.flags !== "-" && ` ${t.flags}`}
          </span>
        ))}
        {edge.refused.map((r) => (
          <span key={r.reason + r.port} className="label bad" title={refusalText(r.reason)}>
            refused at {r.port}
          </span>
        ))}
      </span>
    ),
  },
  {
    title: "Identity",
    value: ({ edge }) => edge.sourcePrincipals.join(" "),
    cell: ({ edge }) => <code>{(end === "From" ? edge.sourcePrincipals : edge.destinationPrincipals).join(", ") || "–"}</code>,
  },
];

/** Who calls and who is called, in the last minute. */
export function TrafficTab({ namespace, kind, name }: { namespace: string; kind: "workload" | "service" | "app"; name: string }) {
  const answer = useWatch<GraphAnswer>(`/graph/near?${new URLSearchParams({ namespace, kind, name, duration: "60s" })}`);
  if (!answer.data)
    return (
      <>
        <Problem of={answer} />
        {!answer.problem && <Loading what="the traffic" />}
      </>
    );
  const { graph } = answer.data;
  const ids = new Set(graph.nodes.filter((node) => node.namespace === namespace && node[kind] === name).map((node) => node.id));
  const row =
    (other: "source" | "target") =>
    (edge: GraphEdge): Row => ({ edge, graph, other: edge[other] });
  const none = "No traffic in the last minute.";
  return (
    <>
      <Problem of={answer} />
      <h2>Inbound</h2>
      <Table
        label="Inbound traffic"
        columns={columns("From")}
        rows={graph.edges.filter((edge) => ids.has(edge.target)).map(row("source"))}
        rowKey={({ edge }) => edge.id}
        empty={none}
      />
      {kind !== "service" && (
        <>
          <h2>Outbound</h2>
          <Table
            label="Outbound traffic"
            columns={columns("To")}
            rows={graph.edges.filter((edge) => ids.has(edge.source)).map(row("target"))}
            rowKey={({ edge }) => edge.id}
            empty={none}
          />
        </>
      )}
    </>
  );
}

function NodeLink({ graph, id }: { graph: Graph; id: string }) {
  const node = graph.nodes.find((n) => n.id === id);
  if (!node || node.type === "unknown") return <>{node ? nodeName(node) : id}</>;
  return (
    <Link to={nodePath(node) ?? "/graph"} className="link">
      {nodeName(node)}
      <small>.{node.namespace}</small>
    </Link>
  );
}

function nameOf(graph: Graph, id: string): string {
  const node = graph.nodes.find((n) => n.id === id);
  return node ? `${nodeName(node)}.${node.namespace}` : id;
}
