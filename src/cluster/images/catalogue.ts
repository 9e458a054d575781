import { ChainmailError } from "../../base/errors.ts";
import { parseReference } from "./reference.ts";
import type { Image, ImageCatalogue, OwnImages } from "./types.ts";

/**
 * A catalogue over the images given: any tag or digest of a repository resolves to its one image. A user's own image of
 * exactly that name comes first. Throws BAD_IMAGE_CATALOGUE for a repository that is no reference or is there twice.
 */
export function createCatalogue(images: Image[], own?: OwnImages): ImageCatalogue {
  const byRepository = new Map<string, Image>();
  for (const image of images) {
    for (const repository of [image.repository, ...(image.aliases ?? [])]) {
      const key = repositoryKey(repository);
      if (key === undefined) throw new ChainmailError("BAD_IMAGE_CATALOGUE", `image repository ${JSON.stringify(repository)} is not a valid name`);
      if (byRepository.has(key)) throw new ChainmailError("BAD_IMAGE_CATALOGUE", `image repository ${repository} is in the catalogue twice`);
      byRepository.set(key, image);
    }
  }
  return {
    resolve(reference) {
      const key = repositoryKey(reference);
      return key === undefined ? undefined : (own?.find(reference) ?? byRepository.get(key));
    },
    list: () => [...images],
    ownNames: () => own?.names() ?? [],
  };
}

function repositoryKey(reference: string): string | undefined {
  const parsed = parseReference(reference);
  return parsed && `${parsed.registry}/${parsed.path}`;
}
