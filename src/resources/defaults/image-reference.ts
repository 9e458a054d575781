/** `registry:5000/name:tag@digest` in its parts. A colon before the last slash is the registry's port. */
export function parseReference(image: string): { name: string; tag?: string; digest?: string } {
  const [named = "", digest] = image.split("@");
  const slash = named.lastIndexOf("/");
  const colon = named.indexOf(":", slash + 1);
  const name = colon < 0 ? named : named.slice(0, colon);
  return { name, ...(colon < 0 ? {} : { tag: named.slice(colon + 1) }), ...(digest === undefined ? {} : { digest }) };
}
