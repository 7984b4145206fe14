/**
 * Cloudflare `is_timed_hmac_valid_v0`, as a WAF rule checks it:
 *
 *   {url}?verify={seconds}-{urlencode(base64(HMAC-SHA-256(secret, path ‖ seconds)))}
 *
 * The time is when it was signed: how long that is good for is said by the rule alone, and `expires` only has to lie ahead. The host
 * is not signed; a rule says it. `verify` is the last parameter, and its separator (`?verify=`) has the length 8 that the rule needs.
 */
import { nodeCrypto } from '../../builtins.ts'
import { type CdnSigner, checkGrant, epochSeconds } from './grant.ts'

export function cloudflareSigner(secret: string): CdnSigner {
  return {
    sign: (url, grant) => {
      checkGrant('Cloudflare', grant, [])
      epochSeconds(grant)
      const seconds = Math.floor(grant.now.getTime() / 1_000)
      const mac = nodeCrypto()
        .createHmac('sha256', secret)
        .update(`${new URL(url).pathname}${seconds}`)
        .digest('base64')
      return `${url}?verify=${seconds}-${encodeURIComponent(mac)}`
    },
    cookies: undefined,
  }
}
