/**
 * Cloudflare: 100 files, prefixes or hosts a request. Files are counted by number (800 a second), prefixes and hosts by request (5 a
 * minute, 25 at once): the limits of the free plan, which others exceed. Cloudflare documentation, "Purge cache".
 * Everything is everything of the disk's address: its host, not the whole zone.
 */
import { UnavailableError } from '../../errors.ts'
import type { CdnAddress } from './address.ts'
import { apiBase, callApi } from './api-call.ts'
import { countFiles, countWildcards, TokenBucket } from './limits.ts'
import type { PurgeTarget } from './purge-target.ts'
import type { Purger } from './purger.ts'

const NAME = 'Cloudflare'
const MAX_ITEMS = 100

export interface CloudflareZone {
  readonly zoneId: string
  readonly apiToken: string
  readonly apiUrl: string | undefined
}

export function cloudflarePurger({ zoneId, apiToken, apiUrl }: CloudflareZone, address: CdnAddress): Purger {
  const url = `${apiBase(apiUrl, 'https://api.cloudflare.com')}/client/v4/zones/${encodeURIComponent(zoneId)}/purge_cache`
  return {
    name: NAME,
    takesPrefixes: true,
    takesAll: true,
    maxTargets: MAX_ITEMS,
    mixes: false,
    concurrency: 1,
    limits: [
      { meter: new TokenBucket(800, 800), cost: countFiles },
      { meter: new TokenBucket(25, 5 / 60), cost: (targets) => Number(countWildcards(targets) > 0) },
    ],
    purge: async (targets, _reference, signal) => {
      const headers = { Authorization: `Bearer ${apiToken}` }
      const answer = await callApi({ provider: NAME, method: 'POST', url, headers, body: bodyOf(targets, address), signal })
      if (isRefused(answer)) throw new UnavailableError(`${NAME} answered a purge with success: false`)
    },
    close: () => Promise.resolve(),
  }
}

function bodyOf(targets: readonly PurgeTarget[], address: CdnAddress): object {
  const paths = targets.map((target) => address.pathname(target))
  if (targets[0]?.type === 'file') return { files: paths.map((path) => address.origin + path) }
  return paths.includes('/') ? { hosts: [address.host] } : { prefixes: paths.map((path) => address.host + path) }
}

function isRefused(answer: string): boolean {
  try {
    return (JSON.parse(answer) as { readonly success?: unknown } | null)?.success === false
  } catch {
    return false // The status was one of success.
  }
}
