/**
 * Fastly, where a few lines of VCL check the token (docs/cdn.md has them):
 *
 *   {url}?token={expires}_{hex(HMAC(base64-decoded key, path ‖ expires))}        SHA-256; SHA-1 as in fastly/token-functions
 */
import { nodeCrypto } from '../../builtins.ts'
import { ConfigurationError } from '../../errors.ts'
import { type CdnSigner, checkGrant, epochSeconds } from './grant.ts'

/** @throws ConfigurationError for a key that is not base64 */
export function fastlySigner(tokenKey: string, hash: 'sha1' | 'sha256' = 'sha256'): CdnSigner {
  if (!/^(?:[\w+/-]{2,})={0,2}$/.test(tokenKey)) throw new ConfigurationError('"provider.tokenKey" must be base64')
  const key = Buffer.from(tokenKey, 'base64')
  return {
    sign: (url, grant) => {
      checkGrant('Fastly', grant, [])
      const expires = epochSeconds(grant)
      const mac = nodeCrypto()
        .createHmac(hash, key)
        .update(`${new URL(url).pathname}${expires}`)
        .digest('hex')
      return `${url}?token=${expires}_${mac}`
    },
    cookies: undefined,
  }
}
