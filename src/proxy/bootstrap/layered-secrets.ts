import type { Secret, SecretProvider } from "../types.ts";

/** Secrets from the first layer that knows the name; a change in any layer is told with what counts then. */
export class LayeredSecrets implements SecretProvider {
  constructor(private readonly layers: readonly SecretProvider[]) {}

  get(name: string): Secret | undefined {
    for (const layer of this.layers) {
      const secret = layer.get(name);
      if (secret) return secret;
    }
    return undefined;
  }

  watch(name: string, onChange: (secret: Secret | undefined) => void): () => void {
    const stops = this.layers.map((layer) => layer.watch(name, () => onChange(this.get(name))));
    return () => {
      for (const stop of stops) stop();
    };
  }
}
