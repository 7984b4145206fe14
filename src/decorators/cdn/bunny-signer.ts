/**
 * Bunny token authentication.
 *
 *   hs256    `HS256-` [`1-` with an IP] ‖ base64url(HMAC-SHA-256(key, path ‖ expires ‖ IP bytes ‖ parameters))
 *   sha256   base64url(SHA-256(key ‖ path ‖ expires ‖ IP ‖ parameters))       older
 *   md5      base64url(MD5(key ‖ path ‖ expires ‖ IP))                        "basic"
 *
 *   {url}?token=…&expires=…          {origin}/bcdn_token=…&token_path=…&expires=…{path}     for all below a directory
 *
 * Path: token_path, else that of the URL, encoded as in the URL. Parameters are sorted and not encoded where they are signed.
 * The order is that of the published vectors of BunnyWay/BunnyCDN.TokenAuthentication.
 */
import { nodeCrypto, nodeNet } from '../../builtins.ts'
import { InvalidArgumentError } from '../../errors.ts'
import { type CdnSigner, checkGrant, epochSeconds } from './grant.ts'

export type BunnyScheme = 'hs256' | 'sha256' | 'md5'

/** What a token is made of. */
export interface BunnyToken {
  readonly expires: number
  readonly ip?: string | undefined
  /** `token_path`, `token_countries` and others, as the documentation names them. */
  readonly parameters?: Readonly<Record<string, string>> | undefined
  /** The token stands before the path, so that addresses relative to it have it too. */
  readonly inPath?: boolean | undefined
}

export function bunnySigner(securityKey: string, scheme: BunnyScheme = 'hs256'): CdnSigner {
  return {
    sign: (url, grant) => {
      checkGrant(`Bunny's ${scheme} scheme`, grant, scheme === 'md5' ? ['ip'] : ['ip', 'below', 'countries', 'blockedCountries'])
      const { ip, below, countries, blockedCountries } = grant
      const parameters = {
        ...(below !== undefined && { token_path: new URL(below).pathname }),
        ...(countries !== undefined && { token_countries: countries.join(',') }),
        ...(blockedCountries !== undefined && { token_countries_blocked: blockedCountries.join(',') }),
      }
      return bunnyUrl(url, securityKey, { scheme, expires: epochSeconds(grant), ip, parameters, inPath: below !== undefined })
    },
    cookies: undefined,
  }
}

/** Signs an address whose own query is signed too, but for `token_ignore_params`. */
export function bunnyUrl(
  url: string,
  key: string,
  { scheme, expires, ip, parameters = {}, inPath = false }: BunnyToken & { readonly scheme: BunnyScheme },
): string {
  const { origin, pathname, searchParams } = new URL(url)
  const own = 'token_ignore_params' in parameters ? [] : [...searchParams]
  const sorted = [...own, ...Object.entries(parameters)].toSorted(([a], [b]) => (a < b ? -1 : Number(a > b)))
  const signed = { path: parameters['token_path'] ?? pathname, expires, ip, parameters: sorted.map((pair) => pair.join('=')).join('&') }
  const token = TOKENS[scheme](key, signed)
  const shown = sorted.map(([name, value]) => `&${name}=${encodeURIComponent(value)}`).join('')
  return inPath
    ? `${origin}/bcdn_token=${token}${shown}&expires=${expires}${pathname}`
    : `${origin}${pathname}?token=${token}${shown}&expires=${expires}`
}

interface Signed {
  readonly path: string
  readonly expires: number
  readonly ip: string | undefined
  readonly parameters: string
}

const TOKENS: Readonly<Record<BunnyScheme, (key: string, signed: Signed) => string>> = {
  hs256: (key, { path, expires, ip, parameters }) => {
    const hmac = nodeCrypto().createHmac('sha256', key).update(`${path}${expires}`)
    if (ip !== undefined) hmac.update(ipBytes(ip))
    return `HS256-${ip === undefined ? '' : '1-'}${hmac.update(parameters).digest('base64url')}`
  },
  sha256: (key, { path, expires, ip = '', parameters }) =>
    nodeCrypto().createHash('sha256').update(`${key}${path}${expires}${ip}${parameters}`).digest('base64url'),
  md5: (key, { path, expires, ip = '' }) => nodeCrypto().createHash('md5').update(`${key}${path}${expires}${ip}`).digest('base64url'),
}

/** Four bytes; of IPv6 sixteen, of which only the network's eight count. */
function ipBytes(ip: string): Buffer {
  if (nodeNet().isIPv4(ip)) return Buffer.from(ip.split('.').map(Number))
  if (!nodeNet().isIPv6(ip)) throw new InvalidArgumentError('"ip" must be an IPv4 or IPv6 address')
  const words = new URL(`http://[${ip.replace(/%.*$/, '')}]`).hostname.slice(1, -1)
  const [head = '', tail] = words.split('::')
  const before = head === '' ? [] : head.split(':')
  const after = tail === undefined || tail === '' ? [] : tail.split(':')
  const all = [...before, ...Array<string>(8 - before.length - after.length).fill('0'), ...after]
  const bytes = Buffer.alloc(16)
  for (const [index, word] of all.slice(0, 4).entries()) bytes.writeUInt16BE(Number.parseInt(word, 16), index * 2)
  return bytes
}
