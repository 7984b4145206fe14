/** What a signed address allows beyond reading one file until a time, and what makes one. */
import { InvalidArgumentError, UnsupportedError } from '../../errors.ts'

/** What a provider cannot enforce is an UnsupportedError. */
export interface CdnGrant {
  readonly expiresAt: Date
  /** Not before. CloudFront. */
  readonly startsAt?: Date | undefined
  /** For this address only; with CloudFront a range (`192.0.2.0/24`) is possible, too. CloudFront (IPv4), Bunny. */
  readonly ip?: string | undefined
  /** For all below this directory, of which the file is one. CloudFront, Bunny. */
  readonly below?: string | undefined
  /** Two-letter codes of the countries that may, or may not. Bunny. */
  readonly countries?: readonly string[] | undefined
  readonly blockedCountries?: readonly string[] | undefined
}

/** A grant whose directory is an address already, with its slash. */
export interface SigningGrant extends Omit<CdnGrant, 'below'> {
  readonly below?: string | undefined
  readonly now: Date
}

export interface CdnSigner {
  /** @param url finished: nothing in it is encoded again */
  sign(url: string, grant: SigningGrant): string
  /** Cookies by name, in place of a signed address. */
  readonly cookies: ((url: string, grant: SigningGrant) => Readonly<Record<string, string>>) | undefined
}

/** In whole seconds, never fewer than asked for. @throws InvalidArgumentError when it has passed */
export function epochSeconds({ expiresAt, now }: SigningGrant): number {
  const time = expiresAt.getTime()
  if (!(time > now.getTime())) throw new InvalidArgumentError('the URL would have expired already')
  return Math.ceil(time / 1_000)
}

/** @throws UnsupportedError for what is granted beyond what the provider can enforce */
export function checkGrant(provider: string, grant: SigningGrant, possible: readonly (keyof CdnGrant)[]): void {
  for (const name of EXTRAS) {
    if (grant[name] !== undefined && !possible.includes(name)) throw new UnsupportedError(`${provider} cannot enforce "${name}"`)
  }
}

const EXTRAS = ['startsAt', 'ip', 'below', 'countries', 'blockedCountries'] as const
