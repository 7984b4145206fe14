/** Bunny: one address a request; with a `*` at its end all below. Bunny documentation, "Purge Rate Limits". */
import type { CdnAddress } from './address.ts'
import { apiBase, callApi } from './api-call.ts'
import { countFiles, countWildcards, TokenBucket } from './limits.ts'
import type { Purger } from './purger.ts'

const NAME = 'Bunny'

export function bunnyPurger({ apiKey, apiUrl }: { apiKey: string; apiUrl: string | undefined }, address: CdnAddress): Purger {
  const base = apiBase(apiUrl, 'https://api.bunny.net')
  return {
    name: NAME,
    takesPrefixes: true,
    takesAll: true,
    maxTargets: 1,
    mixes: false,
    concurrency: 4,
    limits: [
      { meter: new TokenBucket(120, 5), cost: countFiles },
      { meter: new TokenBucket(20, 0.5), cost: countWildcards },
    ],
    purge: async (targets, _reference, signal) => {
      for (const target of targets) {
        const url = `${address.origin}${address.pathname(target)}${target.type === 'file' ? '' : '*'}`
        const query = `url=${encodeURIComponent(url)}&async=false`
        await callApi({ provider: NAME, method: 'POST', url: `${base}/purge?${query}`, headers: { AccessKey: apiKey }, signal })
      }
    },
    close: () => Promise.resolve(),
  }
}
