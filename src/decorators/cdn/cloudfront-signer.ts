/**
 * CloudFront signed URLs and cookies.
 *
 *   canned   Expires, Signature(policy), Key-Pair-Id       policy = {"Statement":[{"Resource":url,"Condition":{"DateLessThan":{"AWS:EpochTime":s}}}]}
 *   custom   Policy, Signature(Policy), Key-Pair-Id        also a beginning, an address, and a `*` in the resource
 *
 * RSA is PKCS#1 v1.5, ECDSA is P-256 in DER; base64 has - _ ~ for + = /. The key is parsed once. Signed here and not by the SDK's
 * signer, which leaves and changes characters of names. Amazon CloudFront developer guide, "Creating a signed URL".
 */
import type { KeyObject } from 'node:crypto'
import { nodeCrypto } from '../../builtins.ts'
import { ConfigurationError, InvalidArgumentError } from '../../errors.ts'
import { type CdnSigner, checkGrant, epochSeconds, type SigningGrant } from './grant.ts'

export interface CloudFrontKeys {
  readonly keyPairId: string
  /** PEM, PKCS#1 or PKCS#8. Line ends may be written as `\n`. */
  readonly privateKey: string
  /** Default: sha1, which every key of every age takes. */
  readonly hash?: 'sha1' | 'sha256' | undefined
}

/** @throws ConfigurationError for a key that is none, without showing it */
export function cloudfrontSigner({ keyPairId, privateKey, hash = 'sha1' }: CloudFrontKeys): CdnSigner {
  const key = parseKey(privateKey)
  const parameters = (url: string, grant: SigningGrant): Readonly<Record<string, string>> => {
    checkGrant('CloudFront', grant, ['startsAt', 'ip', 'below'])
    const expires = epochSeconds(grant)
    const isCustom = grant.startsAt !== undefined || grant.ip !== undefined || grant.below !== undefined
    const policy = isCustom ? customPolicy(url, grant, expires) : cannedPolicy(url, expires)
    return {
      ...(isCustom ? { Policy: urlSafe(Buffer.from(policy)) } : { Expires: String(expires) }),
      Signature: urlSafe(nodeCrypto().sign(hash, Buffer.from(policy), key)),
      'Key-Pair-Id': keyPairId,
      ...(hash === 'sha256' && { 'Hash-Algorithm': 'SHA256' }),
    }
  }
  return {
    sign: (url, grant) => {
      const query = Object.entries(parameters(url, grant)).map(([name, value]) => `${name}=${value}`)
      return `${url}?${query.join('&')}`
    },
    cookies: (url, grant) =>
      Object.fromEntries(Object.entries(parameters(url, grant)).map(([name, value]) => [`CloudFront-${name}`, value])),
  }
}

function parseKey(pem: string): KeyObject {
  const key = readKey(pem.replaceAll('\\n', '\n'))
  const isRsa = key?.asymmetricKeyType === 'rsa' && key.asymmetricKeyDetails?.modulusLength === 2048
  const isEcdsa = key?.asymmetricKeyType === 'ec' && key.asymmetricKeyDetails?.namedCurve === 'prime256v1'
  if (key !== undefined && (isRsa || isEcdsa)) return key
  throw new ConfigurationError(
    '"provider.privateKey" must be a private key in PEM that CloudFront takes: RSA with 2048 bits, or ECDSA P-256',
  )
}

function readKey(pem: string): KeyObject | undefined {
  try {
    return nodeCrypto().createPrivateKey(pem)
  } catch {
    return undefined // What OpenSSL says of it may show some of it.
  }
}

function cannedPolicy(url: string, expires: number): string {
  return JSON.stringify({ Statement: [{ Resource: url, Condition: { DateLessThan: { 'AWS:EpochTime': expires } } }] })
}

function customPolicy(url: string, { startsAt, ip, below }: SigningGrant, expires: number): string {
  if (ip?.includes(':')) throw new InvalidArgumentError('CloudFront limits signed URLs to IPv4 addresses only')
  const condition = {
    DateLessThan: { 'AWS:EpochTime': expires },
    ...(startsAt !== undefined && { DateGreaterThan: { 'AWS:EpochTime': Math.floor(startsAt.getTime() / 1_000) } }),
    ...(ip !== undefined && { IpAddress: { 'AWS:SourceIp': ip.includes('/') ? ip : `${ip}/32` } }),
  }
  return JSON.stringify({ Statement: [{ Resource: below === undefined ? url : `${below}*`, Condition: condition }] })
}

const SAFE: Readonly<Record<string, string>> = { '+': '-', '=': '_', '/': '~' }

function urlSafe(bytes: Buffer): string {
  return bytes.toString('base64').replace(/[+=/]/g, (character) => SAFE[character] as string)
}
