import type { Decided } from "../../api/why.ts";
import { Link, servicePath } from "../navigation.tsx";

/** What decided, with the part of it that did and the proxy that carried it out. */
export function Deciders({ decided }: { decided: readonly Decided[] }) {
  return (
    <ul className="deciders">
      {decided.map((one) => (
        <li key={`${one.kind}${one.namespace}${one.name}${one.rule ?? ""}${one.proxy}`}>
          <p>
            <span className="muted">{one.kind}</span> {linkOf(one)}
          </p>
          <p>
            {one.detail}{" "}
            <span className="muted">
              {one.kind === "Application" ? "Pod" : "Carried out by the proxy of"} <code>{one.proxy}</code>
            </span>
          </p>
          {one.rule && (
            <pre tabIndex={0} aria-label={`What decided in ${one.name}`}>
              {one.rule}
            </pre>
          )}
        </li>
      ))}
    </ul>
  );
}

function linkOf({ kind, group, namespace, name }: Decided) {
  const text = (
    <strong>
      {namespace}/{name}
    </strong>
  );
  if (kind === "Application") return text;
  return (
    <Link
      to={
        kind === "Service" ? servicePath(namespace, name) : `/namespaces/${encodeURIComponent(namespace)}/istio/${group}/v1/${kind}/${encodeURIComponent(name)}`
      }
      className="link"
    >
      {text}
    </Link>
  );
}
