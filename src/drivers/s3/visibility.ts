/** Visibility as ACLs: public is what everybody may read. Only of disks that have ACLs. */
import type { CallOptions, Visibility, VisibilityAbility } from '../../driver.ts'
import { cannedAcl } from './facts.ts'
import { checkKey } from './keys.ts'
import type { S3Store } from './store.ts'

export function visibilityOf({ requests }: S3Store): VisibilityAbility {
  return {
    get: async (path: string, { signal }: CallOptions): Promise<Visibility> =>
      (await requests.isPublic(checkKey(path), { signal })) ? 'public' : 'private',
    set: async (path: string, visibility: Visibility, { signal }: CallOptions): Promise<void> =>
      requests.setAcl(checkKey(path), cannedAcl(visibility), { signal }),
  }
}
