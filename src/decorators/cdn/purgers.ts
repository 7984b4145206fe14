/** What purges at each of the networks, given the keys for it (providers.ts). */
import type { CdnAddress } from './address.ts'
import { bunnyPurger } from './bunny-purger.ts'
import { cloudflarePurger } from './cloudflare-purger.ts'
import { cloudfrontPurger } from './cloudfront-purger.ts'
import { fastlyPurger } from './fastly-purger.ts'
import type { CdnProvider } from './providers.ts'
import type { Purger } from './purger.ts'
import { spacesPurger } from './spaces-purger.ts'

export function purgerOf(provider: CdnProvider, address: CdnAddress): Purger {
  const { type, apiUrl } = provider
  if (type === 'cloudfront') {
    const { distributionId = '', credentials } = provider
    return cloudfrontPurger({ distributionId, credentials, apiUrl }, address)
  }
  if (type === 'bunny') return bunnyPurger({ apiKey: provider.apiKey ?? '', apiUrl }, address)
  const { apiToken = '' } = provider
  if (type === 'cloudflare') return cloudflarePurger({ zoneId: provider.zoneId ?? '', apiToken, apiUrl }, address)
  if (type === 'fastly') return fastlyPurger({ apiToken, serviceId: provider.serviceId, apiUrl }, address)
  return spacesPurger({ endpointId: provider.endpointId ?? '', apiToken, apiUrl }, address)
}
