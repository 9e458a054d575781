import { useEffect, useMemo, useRef, useState } from "react";
import type { LogEntry } from "../../api/access-log.ts";
import type { LineAnswer } from "../../api/why.ts";
import { useStored } from "../live.ts";
import { Deciders } from "../panels/deciders.tsx";
import { Select } from "../parts/controls.tsx";
import type { PodAnswer } from "./workload-page.tsx";

/** Lines kept on the page; older ones are a filter's business at the server. */
const MAX_LINES = 2_000;
const RETRY_MS = 2_000;

interface Log {
  entries: (LogEntry & { id: number })[];
  connected: boolean;
  notes: string[];
}

/** Logs of a pod's containers as one, as they are written; access-log lines say in words what happened. */
export function LogsTab({ namespace, pods }: { namespace: string; pods: PodAnswer[] }) {
  const [chosenPod, setPod] = useState(pods[0]?.name ?? "");
  const pod = pods.find(({ name }) => name === chosenPod) ?? pods[0];
  const containers = useMemo(() => [...(pod?.containers ?? []), ...(pod?.istioContainers ?? [])].map(({ name }) => name), [pod?.name]);
  const [hidden, setHidden] = useStored<string[]>("logs.hidden", []);
  const [show, setShow] = useState("");
  const [words, setWords] = useStored("logs.words", true);
  const [following, setFollowing] = useState(true);
  const [open, setOpen] = useState<number>();
  const shown = containers.filter((name) => !hidden.includes(name));
  const log = useLog(namespace, pod?.name, shown.length > 0 ? shown : containers, following);
  const box = useRef<HTMLDivElement>(null);
  const pinned = useRef(true);
  const entries = useMemo(() => {
    const wanted = show.toLowerCase();
    return wanted ? log.entries.filter((e) => `${e.message} ${e.explanation?.summary ?? ""}`.toLowerCase().includes(wanted)) : log.entries;
  }, [log.entries, show]);
  useEffect(() => {
    // Who has scrolled up to read is left there.
    if (pinned.current) box.current?.scrollTo(0, box.current.scrollHeight);
  }, [entries]);
  if (!pod) return <p className="muted">No pod runs: there are no logs.</p>;
  return (
    <div className="logs">
      <div className="table-tools">
        {pods.length > 1 && <Select label="Pod" value={pod.name} options={Object.fromEntries(pods.map(({ name }) => [name, name]))} onChange={setPod} />}
        {containers.map((name, i) => (
          <label key={name} className="toggle">
            <input
              type="checkbox"
              checked={!hidden.includes(name)}
              onChange={(event) => setHidden(event.target.checked ? hidden.filter((n) => n !== name) : [...hidden, name])}
            />{" "}
            <span className={`log-name log-name-${i % 4}`}>{name}</span>
          </label>
        ))}
        <label className="search">
          <span>Show</span>
          <input type="search" value={show} placeholder="403" onChange={(event) => setShow(event.target.value)} />
        </label>
        <label className="toggle">
          <input type="checkbox" checked={words} onChange={(event) => setWords(event.target.checked)} /> in words
        </label>
        <button type="button" className="button" aria-pressed={!following} onClick={() => setFollowing(!following)}>
          {following ? "Pause" : "Go on"}
        </button>
        <span className={log.connected ? "pulse-dark on" : "pulse-dark"} role="status">
          {following ? (log.connected ? "following" : "connecting…") : "paused"}
        </span>
      </div>
      {log.notes.map((note) => (
        <p key={note} className="notice notice-warn">
          {note}
        </p>
      ))}
      <div
        className="log-box"
        ref={box}
        role="log"
        aria-label={`Logs of ${pod.name}`}
        tabIndex={0}
        onScroll={(event) => {
          const { scrollTop, scrollHeight, clientHeight } = event.currentTarget;
          pinned.current = scrollHeight - scrollTop - clientHeight < 40;
        }}
      >
        {entries.length === 0 && <p className="muted">{show ? "No line fits." : "Nothing has been written yet. What comes is shown at once."}</p>}
        {entries.map((entry) => (
          <Entry
            key={entry.id}
            entry={entry}
            about={`namespace=${encodeURIComponent(namespace)}&pod=${encodeURIComponent(pod.name)}`}
            container={containers.indexOf(entry.container)}
            words={words}
            open={open === entry.id}
            onOpen={() => setOpen(open === entry.id ? undefined : entry.id)}
          />
        ))}
      </div>
    </div>
  );
}

function Entry({
  entry,
  about,
  container,
  words,
  open,
  onOpen,
}: {
  entry: LogEntry;
  about: string;
  container: number;
  words: boolean;
  open: boolean;
  onOpen(): void;
}) {
  const { explanation, accessLog } = entry;
  const time = entry.timestamp.slice(11, 23).replace("Z", "");
  const kind = explanation ? `log-${explanation.verdict}` : entry.severity === "Error" ? "log-server-error" : "";
  return (
    <div className={`log-line ${kind}`}>
      <time dateTime={entry.timestamp}>{time}</time>
      <span className={`log-name log-name-${container % 4}`} title={entry.container} />
      {explanation ? (
        <div>
          <button type="button" className="log-summary" aria-expanded={open} onClick={onOpen}>
            {words ? (
              <>
                {explanation.direction === "inbound" ? "→ " : "← "}
                {explanation.summary}
                {explanation.reasons.length > 0 && <>. {explanation.reasons.join(" ")}</>}
              </>
            ) : (
              entry.message
            )}
          </button>
          {open && explanation.verdict !== "ok" && <LineWhy about={about} message={entry.message} />}
          {open && accessLog && (
            <dl className="facts wide">
              {Object.entries(accessLog).map(([name, value]) => [
                <dt key={name}>{name.replaceAll("_", " ")}</dt>,
                <dd key={`${name}v`}>
                  <code>{value}</code>
                </dd>,
              ])}
              <dt>line</dt>
              <dd>
                <code>{entry.message}</code>
              </dd>
            </dl>
          )}
        </div>
      ) : (
        <span className="log-text">{entry.message}</span>
      )}
    </div>
  );
}

/** From a line to the policy and rule that decided it. */
function LineWhy({ about, message }: { about: string; message: string }) {
  const [answer, setAnswer] = useState<LineAnswer | null>();
  useEffect(() => {
    let gone = false;
    // The line stays readable without it.
    void fetch(`/kiali/api/security/line?${about}`, { method: "POST", body: message })
      .then(async (response) => !gone && setAnswer(response.ok ? ((await response.json()) as LineAnswer) : null))
      .catch(() => !gone && setAnswer(null));
    return () => {
      gone = true;
    };
  }, [about, message]);
  if (!answer || answer.decided.length === 0)
    return (
      <p className="muted" role="status">
        {answer === undefined ? "Looking who decided…" : "No policy or route decided it, as far as is known here."}
      </p>
    );
  return (
    <div className="line-why">
      <strong>Decided by</strong>
      <Deciders decided={answer.decided} />
    </div>
  );
}

/** Follows the log over a stream of its own while the tab is open. */
function useLog(namespace: string, pod: string | undefined, containers: string[], following: boolean): Log {
  const [log, setLog] = useState<Log>({ entries: [], connected: false, notes: [] });
  const next = useRef(0);
  const key = `${namespace}/${pod}/${containers.join(",")}`;
  useEffect(() => {
    setLog({ entries: [], connected: false, notes: [] });
  }, [key]);
  useEffect(() => {
    if (!pod || !following) {
      setLog((now) => ({ ...now, connected: false }));
      return;
    }
    let source: EventSource;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const open = () => {
      source = new EventSource(`/kiali/api/live/logs?${new URLSearchParams({ namespace, pod, containers: containers.join(","), tail: "200" })}`);
      // Each stream begins with the last lines again: what was there before it goes.
      source.onopen = () => setLog({ entries: [], connected: true, notes: [] });
      source.onerror = () => {
        setLog((now) => ({ ...now, connected: false }));
        if (source.readyState === EventSource.CLOSED) timer = setTimeout(open, RETRY_MS);
      };
      source.addEventListener("lines", (event) => {
        const { entries } = JSON.parse(event.data) as { entries: LogEntry[] };
        setLog((now) => ({ ...now, entries: [...now.entries, ...entries.map((entry) => ({ ...entry, id: next.current++ }))].slice(-MAX_LINES) }));
      });
      const note = (text: string) => setLog((now) => ({ ...now, notes: [...new Set([...now.notes, text])] }));
      source.addEventListener("failed", (event) => {
        const { container, message } = JSON.parse(event.data) as { container: string; message: string };
        note(`${container}: ${message}`);
      });
      source.addEventListener("ended", (event) =>
        note(`${(JSON.parse(event.data) as { container: string }).container} has ended: its log goes on with its next start.`),
      );
    };
    open();
    return () => {
      clearTimeout(timer);
      source.close();
    };
  }, [key, following]);
  return log;
}
