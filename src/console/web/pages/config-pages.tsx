import { useEffect, useMemo, useState } from "react";
import type { ConfigAnswer, ObjectValidation } from "../../api/config-routes.ts";
import type { ChangeRow } from "../../server/istiod.ts";
import { Change, manifestText } from "../config/change.tsx";
import { useWatch } from "../live.ts";
import { Link, navigate, useRoute, workloadPath } from "../navigation.tsx";
import { State } from "../parts/badges.tsx";
import { Copy } from "../parts/copy.tsx";
import { Empty, Loading, Problem } from "../parts/states.tsx";
import { type Column, Table } from "../parts/table.tsx";
import { Yaml, lineOf, toYaml } from "../parts/yaml.tsx";
import { useNamespaces } from "./lists.tsx";
import { useSession, write } from "../session.tsx";
import { Crumbs } from "./workload-page.tsx";

interface Row {
  kind: string;
  group: string;
  version: string;
  namespace: string;
  name: string;
  created: string;
  validation: ObjectValidation | undefined;
}

const path = (row: Pick<Row, "namespace" | "group" | "version" | "kind" | "name">) =>
  `/namespaces/${encodeURIComponent(row.namespace)}/istio/${row.group}/${row.version}/${row.kind}/${encodeURIComponent(row.name)}`;

const COLUMNS: Column<Row>[] = [
  { title: "Kind", value: (r) => r.kind, cell: (r) => r.kind },
  { title: "Namespace", value: (r) => r.namespace, cell: (r) => r.namespace },
  {
    title: "Name",
    value: (r) => r.name,
    cell: (r) => (
      <Link to={path(r)} className="link">
        {r.name}
      </Link>
    ),
  },
  { title: "Checks", value: (r) => worst(r.validation), cell: (r) => <Verdict validation={r.validation} /> },
  {
    title: "Found",
    value: (r) => r.validation?.checks.map((c) => c.message).join(" ") ?? "",
    cell: (r) =>
      r.validation?.checks.map((c) => (
        <div key={c.code + c.path}>
          <small>{c.code}</small> {c.message}
        </div>
      )),
  },
  { title: "Created", value: (r) => r.created, cell: (r) => (r.created ? new Date(r.created).toLocaleString() : "–") },
];

/** All of Istio's objects with what is wrong with them. */
export function ConfigPage() {
  const namespaces = useNamespaces();
  const answer = useWatch<ConfigAnswer>(`/istio/config?validate=true&namespaces=${namespaces.join(",")}`);
  const rows = useMemo(
    () =>
      Object.entries(answer.data?.resources ?? {}).flatMap(([gvk, objects]) => {
        const [, group = "", version = "", kind = ""] = /^([^/]*)\/([^,]*), Kind=(.*)$/.exec(gvk) ?? [];
        return objects.map(({ metadata }): Row => ({
          kind,
          group,
          version,
          namespace: metadata.namespace ?? "",
          name: metadata.name,
          created: metadata.creationTimestamp ?? "",
          validation: answer.data?.validations[gvk]?.[`${metadata.name}.${metadata.namespace}`],
        }));
      }),
    [answer.data],
  );
  return (
    <div className="page">
      <h1>
        Istio config{namespaces.length > 0 && <small> in {namespaces.join(", ")}</small>}{" "}
        <Link to="/istio/new" className="button button-main">
          New…
        </Link>
      </h1>
      <Problem of={answer} />
      {answer.data ? (
        <Table
          label="Istio config"
          filter
          columns={COLUMNS}
          rows={rows}
          rowKey={(r) => `${r.kind}/${r.namespace}/${r.name}`}
          empty="No Istio object exists yet. A first one: kubectl apply a PeerAuthentication, or look at Policies what it would change."
        >
          {namespaces.length > 0 && (
            <Link to="/istio" className="button">
              All namespaces
            </Link>
          )}
        </Table>
      ) : (
        !answer.problem && <Loading what="the configuration" />
      )}
    </div>
  );
}

interface ObjectAnswer {
  resource: {
    apiVersion: string;
    kind: string;
    metadata: { name: string; namespace: string; creationTimestamp?: string } & Record<string, unknown>;
    spec?: unknown;
    status?: unknown;
  };
  validation: ObjectValidation;
  references: { workloadReferences: { name: string; namespace: string }[] };
}

/** One object as YAML, with its checks at their lines. */
export function ConfigObjectPage() {
  const { parts, query } = useRoute();
  const [, namespace = "", , group = "", version = "", kind = "", name = ""] = parts;
  const [editing, setEditing] = useState(false);
  const answer = useWatch<ObjectAnswer>(path({ namespace, group, version, kind, name }));
  const text = useMemo(() => {
    if (!answer.data) return "";
    const { resource } = answer.data;
    const { managedFields: _, ...metadata } = resource.metadata;
    return toYaml({
      apiVersion: resource.apiVersion,
      kind: resource.kind,
      metadata,
      spec: resource.spec,
      ...(hasFields(resource.status) && { status: resource.status }),
    });
  }, [answer.data]);
  const marks = useMemo(() => {
    const found = new Map<number, { severity: string; message: string }>();
    for (const check of answer.data?.validation.checks ?? []) {
      const line = lineOf(text, check.path);
      if (line !== undefined) found.set(line, { severity: check.severity, message: `${check.code}: ${check.message}` });
    }
    return found;
  }, [text, answer.data]);
  if (!answer.data) {
    if (!answer.problem) return <Loading what={name} />;
    return (
      <Empty title={`${kind} ${name} cannot be shown`}>
        <p>{answer.problem.message}</p>
        <p>
          <Link to="/istio" className="link">
            All of Istio's config
          </Link>
        </p>
      </Empty>
    );
  }
  const { validation, references, resource } = answer.data;
  const editable = manifestText(resource as unknown as Record<string, unknown>);
  return (
    <div className="page">
      <Crumbs
        steps={[
          ["Istio config", "/istio"],
          [namespace, `/istio?namespaces=${namespace}`],
        ]}
      />
      <h1>
        {name} <small>{kind}</small> <Verdict validation={validation} />
      </h1>
      <Problem of={answer} />
      <Applied path={path({ namespace, group, version, kind, name })} since={query.get("applied")} />
      <div className="columns columns-wide">
        <section>
          {editing ? (
            <Change
              group={group}
              version={version}
              kind={kind}
              initial={editable}
              current={{ namespace, name, text: editable }}
              onDone={() => setEditing(false)}
            />
          ) : (
            <div className="yaml-box">
              <Copy text={text} label="Copy the YAML" />
              <Yaml text={text} marks={marks} />
            </div>
          )}
        </section>
        <section>
          <h2>Checks</h2>
          {validation.checks.length === 0 ? (
            <p className="muted">Nothing is wrong with it.</p>
          ) : (
            <ul className="plain">
              {validation.checks.map((check) => (
                <li key={check.code + check.path} className={check.severity === "error" ? "bad" : "warn"}>
                  <strong>{check.code}</strong> {check.message}{" "}
                  <small>
                    <code>{check.path}</code>
                  </small>
                </li>
              ))}
            </ul>
          )}
          <h2>Chooses</h2>
          {references.workloadReferences.length === 0 ? (
            <p className="muted">
              {hasSelector(resource.spec) ? "No workload." : "It has no selector: it counts for its whole namespace, or for the mesh in istio-system."}
            </p>
          ) : (
            <ul className="plain">
              {references.workloadReferences.map((w) => (
                <li key={w.namespace + w.name}>
                  <Link to={workloadPath(w.namespace, w.name)} className="link">
                    {w.name}
                    <small>.{w.namespace}</small>
                  </Link>
                </li>
              ))}
            </ul>
          )}
          <h2>To change it</h2>
          {!editing && (
            <p className="actions">
              <button type="button" className="button" onClick={() => setEditing(true)}>
                Edit
              </button>{" "}
              <Delete path={path({ namespace, group, version, kind, name })} what={`${kind} ${name}`} />
            </p>
          )}
          <p className="muted">
            In a terminal:{" "}
            <code>
              kubectl edit {kind.toLowerCase()} {name} -n {namespace}
            </code>
          </p>
        </section>
      </div>
    </div>
  );
}

/** After a change that was made here: when it was in force at every proxy. */
function Applied({ path: target, since }: { path: string; since: string | null }) {
  const [progress, setProgress] = useState<ChangeRow | null>();
  useEffect(() => {
    setProgress(undefined);
    if (since === null) return;
    let gone = false;
    void (async () => {
      for (let tries = 0; tries < APPLIED_TRIES && !gone; tries++) {
        const answer = await fetch(`/kiali/api${target}/applied`).catch(() => undefined);
        const row = answer?.ok ? ((await answer.json()) as ChangeRow | null) : null;
        if (!gone && row) setProgress(row);
        if (row && row.waiting === 0) return;
        await new Promise((resolve) => setTimeout(resolve, APPLIED_EVERY_MS));
      }
    })();
    return () => {
      gone = true;
    };
  }, [target, since]);
  if (!progress) return null;
  const { proxies, applied, unaffected, refused, waiting, milliseconds } = progress;
  if (waiting > 0)
    return (
      <p className="notice" role="status">
        Applied on {applied + unaffected} of {proxies} proxies…
      </p>
    );
  return (
    <div className={refused.length > 0 ? "notice notice-bad" : "notice notice-good"} role="status">
      Applied on {applied + unaffected} of {proxies} {proxies === 1 ? "proxy" : "proxies"}
      {milliseconds !== undefined && ` in ${milliseconds} ms`}
      {unaffected > 0 && (
        <span className="muted">, {unaffected === proxies ? "all of which had nothing to change" : `${unaffected} of which had nothing to change`}</span>
      )}
      {refused.map(({ proxy, error }) => (
        <div key={proxy}>
          <strong>{proxy}</strong> refused it: {error}
        </div>
      ))}
    </div>
  );
}

/** Proxies answer within milliseconds; one that does not answer is shown as waited for. */
const APPLIED_EVERY_MS = 150;
const APPLIED_TRIES = 60;

/** Asks once more, since nothing brings it back. */
function Delete({ path: target, what }: { path: string; what: string }) {
  const { session, signIn } = useSession();
  const [asked, setAsked] = useState(false);
  const [problem, setProblem] = useState("");
  const remove = async (): Promise<void> => {
    const answer = await write(session, "DELETE", target);
    if (answer.ok) navigate("/istio");
    else setProblem(answer.message);
  };
  if (session.csrf === undefined)
    return (
      <button type="button" className="button" onClick={signIn}>
        Delete…
      </button>
    );
  if (!asked)
    return (
      <button type="button" className="button" onClick={() => setAsked(true)}>
        Delete…
      </button>
    );
  return (
    <>
      <button type="button" className="button button-bad" onClick={() => void remove()}>
        Delete {what}
      </button>{" "}
      <button type="button" className="button" onClick={() => setAsked(false)}>
        Keep it
      </button>
      {problem && (
        <span className="notice notice-bad" role="alert">
          {problem}
        </span>
      )}
    </>
  );
}

function Verdict({ validation }: { validation: ObjectValidation | undefined }) {
  const severity = worst(validation);
  return (
    <State good={severity === 0} warn={severity === 1}>
      {severity === 0 ? "Valid" : severity === 1 ? "Look" : "Wrong"}
    </State>
  );
}

function worst(validation: ObjectValidation | undefined): number {
  if (!validation || validation.checks.length === 0) return 0;
  return validation.checks.some(({ severity }) => severity === "error") ? 2 : 1;
}

function hasFields(value: unknown): boolean {
  return typeof value === "object" && value !== null && Object.keys(value).length > 0;
}

function hasSelector(spec: unknown): boolean {
  return hasFields(spec) && "selector" in (spec as object);
}
