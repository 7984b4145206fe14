/**
 * DigitalOcean Spaces: keys of the Space, not encoded; with a `*` at their end all below, which count once. 50 files in 20 seconds, 5
 * requests in 10, and never the same request twice at once. DigitalOcean API reference, "Purge the Cache for an Existing CDN Endpoint".
 */
import type { CdnAddress } from './address.ts'
import { apiBase, callApi } from './api-call.ts'
import { SlidingWindow } from './limits.ts'
import type { Purger } from './purger.ts'

const NAME = 'DigitalOcean'
const MAX_FILES = 50

export interface SpacesEndpoint {
  readonly endpointId: string
  readonly apiToken: string
  readonly apiUrl: string | undefined
}

export function spacesPurger({ endpointId, apiToken, apiUrl }: SpacesEndpoint, address: CdnAddress): Purger {
  const url = `${apiBase(apiUrl, 'https://api.digitalocean.com')}/v2/cdn/endpoints/${encodeURIComponent(endpointId)}/cache`
  return {
    name: NAME,
    takesPrefixes: true,
    takesAll: true,
    maxTargets: MAX_FILES,
    mixes: true,
    concurrency: 1,
    // Windows are a little longer than documented: the provider counts when requests arrive.
    limits: [
      { meter: new SlidingWindow(MAX_FILES, 20_500), cost: ({ length }) => length },
      { meter: new SlidingWindow(5, 10_500), cost: () => 1 },
    ],
    purge: async (targets, _reference, signal) => {
      const files = targets.map((target) => address.key(target) + (target.type === 'file' ? '' : '*'))
      const headers = { Authorization: `Bearer ${apiToken}` }
      await callApi({ provider: NAME, method: 'DELETE', url, headers, body: { files }, signal })
    },
    close: () => Promise.resolve(),
  }
}
