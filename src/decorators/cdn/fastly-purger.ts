/**
 * Fastly: one address a request, or the whole service. It knows no prefixes: what a directory held is purged file by file.
 * 100,000 purges an hour and customer. Fastly documentation, "API rate limiting".
 */
import type { CdnAddress } from './address.ts'
import { apiBase, callApi } from './api-call.ts'
import { TokenBucket } from './limits.ts'
import type { Purger } from './purger.ts'

const NAME = 'Fastly'
// Together never more than 100,000 in an hour.
const AT_ONCE = 10_000
const PER_HOUR = 90_000

export interface FastlyService {
  readonly apiToken: string
  /** Needed to purge everything. */
  readonly serviceId: string | undefined
  readonly apiUrl: string | undefined
}

export function fastlyPurger({ apiToken, serviceId, apiUrl }: FastlyService, address: CdnAddress): Purger {
  const base = apiBase(apiUrl, 'https://api.fastly.com')
  return {
    name: NAME,
    takesPrefixes: false,
    takesAll: serviceId !== undefined,
    maxTargets: 1,
    mixes: false,
    concurrency: 4,
    limits: [{ meter: new TokenBucket(AT_ONCE, PER_HOUR / 3_600), cost: ({ length }) => length }],
    purge: async (targets, _reference, signal) => {
      for (const target of targets) {
        const path =
          target.type === 'file'
            ? `/purge/${address.host}${address.pathname(target)}`
            : `/service/${encodeURIComponent(serviceId ?? '')}/purge_all`
        await callApi({ provider: NAME, method: 'POST', url: `${base}${path}`, headers: { 'Fastly-Key': apiToken }, signal })
      }
    },
    close: () => Promise.resolve(),
  }
}
