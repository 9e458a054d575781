import { useEffect, useMemo, useState } from "react";
import type { AuthorizationPreview } from "../../api/authorization-preview.ts";
import type { SchemaNode } from "../../api/schema-routes.ts";
import type { PreviewAnswer } from "../../api/security-routes.ts";
import { navigate } from "../navigation.tsx";
import { useSession, write } from "../session.tsx";
import { toYaml } from "../parts/yaml.tsx";
import { diffLines } from "./diff.ts";
import { Editor } from "./editor.tsx";
import { Foretold } from "./foretold.tsx";

interface Kind {
  group: string;
  version: string;
  kind: string;
}

interface ChangeProps extends Kind {
  /** What the editor begins with. */
  initial: string;
  /** The object as it is, where it is there already. */
  current?: { namespace: string; name: string; text: string };
  onDone?(): void;
}

type Checked = { ok: true; text: string; preview: Preview | undefined } | { ok: false; message: string };
export type Preview = Omit<PreviewAnswer, "manifest"> | AuthorizationPreview;

/** Changes or makes one object: typed, checked by the API server, its outcome foretold, and only then applied. */
export function Change({ group, version, kind, initial, current, onDone }: ChangeProps) {
  const { session, signIn } = useSession();
  const [text, setText] = useState(initial);
  const [schema, setSchema] = useState<SchemaNode>();
  const [checked, setChecked] = useState<Checked>();
  const [busy, setBusy] = useState(false);
  useEffect(() => setText(initial), [initial]);
  useEffect(() => setChecked(undefined), [text]);
  useEffect(() => {
    // The editor is whole without it; its help then says that there is none.
    void fetch(`/kiali/api/istio/schema/${kind}`)
      .then(async (answer) => answer.ok && setSchema((await answer.json()) as SchemaNode))
      .catch(() => {});
  }, [kind]);
  const signedIn = session.csrf !== undefined;
  const namespace = current?.namespace ?? namespaceOf(text);
  const path = `/namespaces/${encodeURIComponent(namespace)}/istio/${group}/${version}/${kind}${current ? `/${encodeURIComponent(current.name)}` : ""}`;
  const send = (dryRun: boolean) => write(session, current ? "PUT" : "POST", `${path}${dryRun ? "?dryRun=All" : ""}`, text);
  const check = async (): Promise<void> => {
    setBusy(true);
    const [answer, preview] = await Promise.all([send(true), foretell(kind, text)]);
    setChecked(answer.ok ? { ok: true, text: manifestText(answer.object), preview } : { ok: false, message: answer.message });
    setBusy(false);
  };
  const apply = async (): Promise<void> => {
    setBusy(true);
    const answer = await send(false);
    setBusy(false);
    if (!answer.ok) return setChecked({ ok: false, message: answer.message });
    const { metadata } = answer.object as { metadata: { namespace: string; name: string; resourceVersion: string } };
    onDone?.();
    navigate(
      `/namespaces/${encodeURIComponent(metadata.namespace)}/istio/${group}/${version}/${kind}/${encodeURIComponent(metadata.name)}?applied=${metadata.resourceVersion}`,
    );
  };
  return (
    <section className="change" aria-label={current ? "Change it" : "Make it"}>
      <Editor text={text} onChange={setText} schema={schema} label={`Manifest of the ${kind}`} />
      <p className="actions">
        {signedIn ? (
          <>
            <button type="button" className="button" disabled={busy} onClick={() => void check()}>
              Check
            </button>{" "}
            <button
              type="button"
              className="button button-main"
              disabled={busy || !checked?.ok}
              title={checked?.ok ? undefined : "Check it first"}
              onClick={() => void apply()}
            >
              Apply
            </button>
          </>
        ) : (
          <button type="button" className="button button-main" onClick={signIn}>
            Sign in to apply it
          </button>
        )}
        {onDone && (
          <>
            {" "}
            <button type="button" className="button" onClick={onDone}>
              Leave it as it is
            </button>
          </>
        )}
      </p>
      {checked && !checked.ok && (
        <p className="notice notice-bad" role="alert">
          {checked.message}
        </p>
      )}
      {checked?.ok && <Outcome before={current?.text ?? ""} checked={checked} />}
    </section>
  );
}

function Outcome({ before, checked }: { before: string; checked: Checked & { ok: true } }) {
  const lines = useMemo(() => diffLines(before, checked.text), [before, checked.text]);
  const changed = lines.some(({ kind }) => kind !== "same");
  return (
    <div role="status">
      {checked.preview && <Foretold preview={checked.preview} />}
      <h3>{!changed ? "It would stay as it is" : before ? "What would change" : "What would be made"}</h3>
      {changed && (
        <pre className="diff" tabIndex={0}>
          {lines.map(({ kind, text }, i) => (
            <span key={i} className={`diff-${kind}`}>
              {{ same: "  ", added: "+ ", removed: "- " }[kind]}
              {text}
              {"\n"}
            </span>
          ))}
        </pre>
      )}
    </div>
  );
}

async function foretell(kind: string, text: string): Promise<Preview | undefined> {
  if (kind !== "PeerAuthentication" && kind !== "AuthorizationPolicy") return undefined;
  const answer = await fetch("/kiali/api/security/preview?duration=30m", { method: "POST", body: text }).catch(() => undefined);
  return answer?.ok ? ((await answer.json()) as Preview) : undefined;
}

/** An object as it is edited: without what the API server alone writes. */
export function manifestText(object: Record<string, unknown>): string {
  const { managedFields: _, uid: __, generation: ___, ...metadata } = object.metadata as Record<string, unknown>;
  return toYaml({ apiVersion: object.apiVersion, kind: object.kind, metadata, spec: object.spec });
}

function namespaceOf(text: string): string {
  return /^ {2}namespace: ["']?([\w.-]+)/m.exec(text)?.[1] ?? "default";
}
