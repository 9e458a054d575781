import { type ReactNode, createContext, useCallback, useContext, useEffect, useRef, useState } from "react";

/** Who uses the page. Anonymous may read; who has signed in may do what their token may. */
export interface Session {
  username: string;
  /** Undefined while anonymous. */
  csrf?: string;
  expiresOn: string;
}

interface SessionAccess {
  session: Session;
  /** Opens the dialog; resolves when it is closed, true when somebody has signed in. */
  signIn(): void;
  signOut(): Promise<void>;
}

const ANONYMOUS: Session = { username: "anonymous", expiresOn: "" };
const SessionContext = createContext<SessionAccess>({ session: ANONYMOUS, signIn: () => {}, signOut: async () => {} });

export const useSession = () => useContext(SessionContext);

export function SessionProvider({ children }: { children: ReactNode }) {
  const [session, setSession] = useState(ANONYMOUS);
  const [asked, setAsked] = useState(false);
  useEffect(() => {
    // Without an answer nobody is signed in; that the server is gone is said by what is live.
    void fetch("/kiali/api/auth/info")
      .then(async (answer) => answer.ok && setSession(((await answer.json()) as { sessionInfo: Session }).sessionInfo))
      .catch(() => {});
  }, []);
  const signOut = useCallback(async () => {
    await fetch("/kiali/api/logout", { method: "POST" });
    setSession(ANONYMOUS);
  }, []);
  return (
    <SessionContext value={{ session, signIn: () => setAsked(true), signOut }}>
      {children}
      {asked && <SignIn onClose={() => setAsked(false)} onSession={setSession} />}
    </SessionContext>
  );
}

/** What a write came to: the object as it is now, or why not. */
export type WriteAnswer = { ok: true; object: Record<string, unknown> } | { ok: false; status: number; message: string };

/** Writes through the console with the session's rights. */
export async function write(session: Session, method: "POST" | "PUT" | "DELETE", path: string, body?: string): Promise<WriteAnswer> {
  try {
    const answer = await fetch(`/kiali/api${path}`, {
      method,
      headers: { "content-type": "application/yaml", ...(session.csrf && { "x-csrf-token": session.csrf }) },
      ...(body !== undefined && { body }),
    });
    const object = (await answer.json()) as Record<string, unknown>;
    return answer.ok
      ? { ok: true, object }
      : { ok: false, status: answer.status, message: typeof object.error === "string" ? object.error : answer.statusText };
  } catch {
    return { ok: false, status: 0, message: "The console's server does not answer." };
  }
}

const HOW = `kubectl create serviceaccount editor -n default
kubectl create clusterrolebinding editor --clusterrole=cluster-admin --serviceaccount=default:editor
kubectl create token editor -n default`;

function SignIn({ onClose, onSession }: { onClose(): void; onSession(session: Session): void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [token, setToken] = useState("");
  const [problem, setProblem] = useState("");
  useEffect(() => dialog.current?.showModal(), []);
  const send = async (): Promise<void> => {
    setProblem("");
    const answer = await fetch("/kiali/api/authenticate", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ token }),
    }).catch(() => undefined);
    const body = (await answer?.json().catch(() => undefined)) as (Session & { error?: string }) | undefined;
    if (!answer?.ok || !body) return setProblem(body?.error ?? "The console's server does not answer.");
    onSession(body);
    dialog.current?.close();
  };
  return (
    <dialog ref={dialog} className="dialog" aria-labelledby="sign-in-title" onClose={onClose}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void send();
        }}
      >
        <h2 id="sign-in-title">Sign in to change things</h2>
        <p>What you change here is done with your own rights in Kubernetes. Give a token of an account that has them:</p>
        <label className="field">
          <span>Token</span>
          <input type="password" autoComplete="off" value={token} onChange={(event) => setToken(event.target.value)} />
        </label>
        {problem && (
          <p className="notice notice-bad" role="alert">
            {problem}
          </p>
        )}
        <details>
          <summary>How to get one</summary>
          <pre className="code">{HOW}</pre>
        </details>
        <p className="actions">
          <button type="submit" className="button button-main" disabled={token.trim() === ""}>
            Sign in
          </button>{" "}
          <button type="button" className="button" onClick={() => dialog.current?.close()}>
            Not now
          </button>
        </p>
      </form>
    </dialog>
  );
}
