/** The networks, and what signs and purges there. Without the keys for one of them, that part is off. */
import { ConfigurationError, quote } from '../../errors.ts'
import { type BunnyScheme, bunnySigner } from './bunny-signer.ts'
import { cloudflareSigner } from './cloudflare-signer.ts'
import { cloudfrontSigner } from './cloudfront-signer.ts'
import { fastlySigner } from './fastly-signer.ts'
import type { CdnSigner } from './grant.ts'

interface ProviderOrigin {
  /** Replaces the origin of the provider's API. */
  readonly apiUrl?: string | undefined
}

export type CdnProvider =
  | (ProviderOrigin & {
      readonly type: 'cloudfront'
      readonly keyPairId?: string | undefined
      /** PEM: RSA with 2048 bits, or ECDSA P-256. */
      readonly privateKey?: string | undefined
      /** Of signatures. Default: sha1. */
      readonly hash?: 'sha1' | 'sha256' | undefined
      readonly distributionId?: string | undefined
      /** As the AWS SDK takes them. Default: its own search. */
      readonly credentials?: object | undefined
    })
  | (ProviderOrigin & {
      readonly type: 'bunny'
      readonly securityKey?: string | undefined
      /** Default: hs256. */
      readonly scheme?: BunnyScheme | undefined
      readonly apiKey?: string | undefined
    })
  | (ProviderOrigin & {
      readonly type: 'cloudflare'
      readonly secret?: string | undefined
      readonly zoneId?: string | undefined
      readonly apiToken?: string | undefined
    })
  | (ProviderOrigin & {
      readonly type: 'fastly'
      /** Base64. */
      readonly tokenKey?: string | undefined
      /** Of tokens. Default: sha256. */
      readonly hash?: 'sha1' | 'sha256' | undefined
      readonly serviceId?: string | undefined
      readonly apiToken?: string | undefined
    })
  | (ProviderOrigin & { readonly type: 'spaces'; readonly endpointId?: string | undefined; readonly apiToken?: string | undefined })

/** @throws ConfigurationError for keys that are none */
export function signerOf(provider: CdnProvider | undefined): CdnSigner | undefined {
  if (provider === undefined) return undefined
  switch (provider.type) {
    case 'cloudfront': {
      const { keyPairId, privateKey, hash } = provider
      return keyPairId && privateKey ? cloudfrontSigner({ keyPairId, privateKey, hash }) : undefined
    }
    case 'bunny':
      return provider.securityKey ? bunnySigner(provider.securityKey, provider.scheme) : undefined
    case 'cloudflare':
      return provider.secret ? cloudflareSigner(provider.secret) : undefined
    case 'fastly':
      return provider.tokenKey ? fastlySigner(provider.tokenKey, provider.hash) : undefined
    case 'spaces':
      return undefined // The inner disk signs.
    default:
      throw unknownProvider(provider)
  }
}

/** What it takes to purge at each of them. */
const PURGE_KEYS = {
  cloudfront: ['distributionId'],
  bunny: ['apiKey'],
  cloudflare: ['zoneId', 'apiToken'],
  fastly: ['apiToken'],
  spaces: ['endpointId', 'apiToken'],
} as const satisfies Record<CdnProvider['type'], readonly string[]>

export function canPurge(provider: CdnProvider): boolean {
  const values: Readonly<Record<string, unknown>> = { ...provider }
  return PURGE_KEYS[provider.type].every((key) => Boolean(values[key]))
}

function unknownProvider(provider: never): ConfigurationError {
  const { type } = provider as { readonly type?: unknown }
  return new ConfigurationError(`"provider.type" must be cloudfront, bunny, cloudflare, fastly or spaces, not ${quote(String(type))}`)
}
