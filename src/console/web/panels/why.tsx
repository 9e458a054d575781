import type { WhyAnswer } from "../../api/why.ts";
import { useWatch } from "../live.ts";
import type { GraphEdge, GraphNode } from "../model.ts";
import { Link } from "../navigation.tsx";
import { policyLink } from "../pages/workload-page.tsx";
import { Snippet } from "../parts/copy.tsx";
import { Problem } from "../parts/states.tsx";
import { Deciders } from "./deciders.tsx";

/** From a red edge, or one with 403s, to the policy that decided, the proxy that refused, and what would help. */
export function Why({ edge, source, target }: { edge: GraphEdge; source: GraphNode; target: GraphNode }) {
  const answer = useWatch<WhyAnswer>(
    `/security/why?${new URLSearchParams({ namespace: target.namespace, ...(target.type === "service" ? { service: target.service ?? "" } : { workload: target.workload ?? target.app ?? "" }), fromNamespace: source.type === "unknown" ? "" : source.namespace, fromWorkload: source.workload ?? source.app ?? "", port: edge.refused[0]?.port ?? "", reason: edge.refused[0]?.reason ?? "" })}`,
  );
  const { data } = answer;
  if (!data) return <Problem of={answer} />;
  return (
    <section className="why">
      <h3>Decided by</h3>
      {data.decided.length > 0 ? (
        <Deciders decided={data.decided} />
      ) : (
        <p className="muted">No line of the proxies' logs tells: it is too long ago, or nothing was written.</p>
      )}
      <h3>Why</h3>
      <ul className="plain">
        {data.reasons.map((reason) => (
          <li key={reason}>{reason}</li>
        ))}
        {edge.refused.length > 0 && (
          <li>
            {data.caller.known ? (
              data.caller.sidecar ? (
                <>
                  {data.caller.name} has a sidecar, yet this came without the mesh's TLS: look for a DestinationRule with mode DISABLE, or for traffic that is
                  not captured.
                </>
              ) : (
                <>
                  <strong>{data.caller.name} has no sidecar</strong>, so it speaks plaintext and has no identity.
                </>
              )
            ) : (
              <>{data.caller.name} is no pod that is known here.</>
            )}
          </li>
        )}
        {data.mode && (
          <li>
            {target.workload} takes <strong>{data.mode}</strong>
            {data.policy ? (
              <>
                , decided by PeerAuthentication {policyLink(`${data.policy.namespace}/${data.policy.name}`)}
                {data.policy.created && <small> of {new Date(data.policy.created).toLocaleString()}</small>}
              </>
            ) : (
              ": no policy says otherwise"
            )}
            .
          </li>
        )}
        {data.authorization.length > 0 && (
          <li>
            AuthorizationPolicies in force:{" "}
            {data.authorization.map((p, i) => (
              <span key={p.namespace + p.name}>
                {i > 0 && ", "}
                <Link to={`/namespaces/${p.namespace}/istio/security.istio.io/v1/AuthorizationPolicy/${p.name}`} className="link">
                  {p.namespace}/{p.name}
                </Link>{" "}
                ({p.action})
              </span>
            ))}
          </li>
        )}
      </ul>
      {data.lines.length > 0 && (
        <details>
          <summary>What the proxies wrote</summary>
          <ul className="plain">
            {data.lines.map((line) => (
              <li key={line.timestamp + line.pod}>
                <small>
                  {new Date(line.timestamp).toLocaleTimeString()} {line.pod}
                </small>
                <code>{line.message}</code>
              </li>
            ))}
          </ul>
        </details>
      )}
      {data.gaps.map((gap) => (
        <p key={gap} className="muted">
          {gap}
        </p>
      ))}
      {data.remedies.length > 0 && <h3>What would help</h3>}
      {data.remedies.map((remedy) => (
        <details key={remedy.title}>
          <summary>{remedy.title}</summary>
          <Snippet text={remedy.text} />
        </details>
      ))}
    </section>
  );
}

/** Who stands behind plaintext from "unknown", as the destination's access log tells. */
export function Callers({ target, seconds }: { target: GraphNode; seconds: number }) {
  const answer = useWatch<{ callers: { name: string; known: boolean; requests: number; lastSeen: string }[] }>(
    `/security/plaintext?${new URLSearchParams({ namespace: target.namespace, workload: target.workload ?? "", duration: `${seconds}s` })}`,
  );
  if (!answer.data || answer.data.callers.length === 0) return <Problem of={answer} />;
  return (
    <section>
      <h3>Who it was</h3>
      <ul className="plain">
        {answer.data.callers.map((caller) => (
          <li key={caller.name}>
            <strong>{caller.name}</strong> {caller.requests}×, last at {new Date(caller.lastSeen).toLocaleTimeString()}{" "}
            <small>{caller.known ? "by the access log" : "an address of no pod"}</small>
          </li>
        ))}
      </ul>
    </section>
  );
}
