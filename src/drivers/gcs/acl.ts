/** Visibility where a bucket has ACLs: a file is public when everybody may read it. */
import type { VisibilityAbility } from '../../driver.ts'
import { FileNotFoundError } from '../../errors.ts'
import { type GcsApi, objectPath } from './api.ts'
import { nameOf, type ObjectResource, visibilityIn } from './objects.ts'

const EVERYBODY = ['allUsers', 'allAuthenticatedUsers'] as const

export function visibilityOf(api: GcsApi): VisibilityAbility {
  const entries = (path: string): string => `${objectPath(api.settings.bucket, nameOf(path))}/acl`
  return {
    get: async (path, { signal }) => {
      const query = { projection: 'full', fields: 'acl' }
      const { acl = [] } = await api.json<ObjectResource>({ path: objectPath(api.settings.bucket, nameOf(path)), query, signal })
      return visibilityIn(acl)
    },
    set: async (path, visibility, { signal }) => {
      if (visibility === 'public') {
        const json = { entity: 'allUsers', role: 'READER' }
        await api.json({ method: 'POST', path: entries(path), json, acl: true, signal })
        return
      }
      // What others were given stays: only everybody's entries go.
      await api.json({ path: entries(path), query: { fields: 'items(entity)' }, acl: true, signal })
      for (const entity of EVERYBODY) {
        try {
          await api.json({ method: 'DELETE', path: `${entries(path)}/${entity}`, acl: true, signal })
        } catch (error) {
          if (!(error instanceof FileNotFoundError)) throw error // it was not given
        }
      }
    },
  }
}
