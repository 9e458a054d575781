import { useMemo, useState } from "react";
import { Change } from "../config/change.tsx";
import { type Surroundings, WIZARDS, manifestOf } from "../config/templates.ts";
import type { MeshState } from "../model.ts";
import { navigate, useRoute } from "../navigation.tsx";
import { Select } from "../parts/controls.tsx";
import { Loading } from "../parts/states.tsx";
import { useWatch } from "../live.ts";
import { Crumbs } from "./workload-page.tsx";

/** A first manifest by a few questions; the editor below has the last word. */
export function NewConfigPage({ mesh }: { mesh: MeshState | undefined }) {
  const { query } = useRoute();
  const services = useWatch<{ services: { name: string; namespace: string }[] }>("/clusters/services");
  if (!mesh || !services.data) return <Loading what="what there is in the mesh" />;
  const wizard = WIZARDS.find(({ key }) => key === query.get("what")) ?? WIZARDS[0]!;
  const surroundings: Surroundings = {
    namespaces: mesh.namespaces.filter((n) => n.mesh && n.name !== "istio-system").map((n) => n.name),
    workloads: mesh.workloads.filter((w) => w.sidecar && !w.gateway).map((w) => ({ namespace: w.namespace, name: w.workload, app: w.app })),
    services: services.data.services.filter(({ namespace }) => namespace !== "kube-system" && namespace !== "istio-system"),
  };
  return (
    <div className="page">
      <Crumbs steps={[["Istio config", "/istio"]]} />
      <h1>New</h1>
      <div className="choices" role="group" aria-label="What for">
        {WIZARDS.map(({ key, title, what }) => (
          <button key={key} type="button" aria-pressed={key === wizard.key} onClick={() => navigate(`/istio/new?what=${key}`, { replace: true })}>
            <strong>{title}</strong> <span>{what}</span>
          </button>
        ))}
      </div>
      <Questions key={wizard.key} wizard={wizard} surroundings={surroundings} />
    </div>
  );
}

function Questions({ wizard, surroundings }: { wizard: (typeof WIZARDS)[number]; surroundings: Surroundings }) {
  const fields = wizard.fields(surroundings);
  const [given, setGiven] = useState<Record<string, string>>({});
  const values = Object.fromEntries(fields.map(({ key, initial }) => [key, given[key] ?? initial]));
  const text = useMemo(() => manifestOf(wizard, values), [JSON.stringify(values)]);
  return (
    <>
      <div className="table-tools">
        {fields.map((field) => {
          const set = (value: string) => setGiven((now) => ({ ...now, [field.key]: value }));
          const value = values[field.key] ?? "";
          return field.options ? (
            <Select key={field.key} label={field.label} value={value} options={field.options} onChange={set} />
          ) : (
            <label key={field.key} className="search">
              <span>{field.label}</span>
              <input type="search" value={value} placeholder={field.placeholder} onChange={(event) => set(event.target.value)} />
            </label>
          );
        })}
      </div>
      <Change group={wizard.group} version="v1" kind={wizard.kind} initial={text} />
    </>
  );
}
