/**
 * Where requests of a disk go: the bucket's address and the region that they are signed for.
 *
 * Settings alone make it up where they say enough, as the SDK's rules for endpoints have it (urls.ts). What the environment or the shared
 * config file may say (a region, FIPS, dual stack, an endpoint of a profile) is the SDK's to find, which is loaded for it.
 */
import { readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import type { S3Settings } from '../settings.ts'
import { baseOf } from '../urls.ts'

export interface Origin {
  readonly isSecure: boolean
  /** To connect to. */
  readonly hostname: string
  /** Undefined: the scheme's own. */
  readonly port: string | undefined
  /** As the Host header has it. */
  readonly host: string
  /** Before the key: `/bucket`, or nothing where the bucket is in the host name. */
  readonly path: string
  readonly region: string
}

export interface Address {
  /** Of the bucket, without a slash at the end. */
  readonly base: string
  readonly region: string
}

export function originOf({ base, region }: Address): Origin {
  const { protocol, hostname, port, host, pathname } = new URL(base)
  return {
    isSecure: protocol === 'https:',
    hostname: hostname.replace(/^\[(.*)\]$/, '$1'),
    port: port === '' ? undefined : port,
    host,
    path: pathname.replace(/\/+$/, ''),
    region,
  }
}

type Environment = Readonly<Record<string, string | undefined>>

/** @param ask the SDK, which knows every source of configuration */
export async function addressOf(settings: S3Settings, ask: () => Promise<Address>, env: Environment = process.env): Promise<Address> {
  const region = settings.region ?? (env['AWS_REGION'] || undefined)
  if (settings.endpoint === undefined) {
    if (region === undefined || /fips|global/.test(region) || (await isConfigured(env, ENDPOINT_SETTINGS))) return ask()
    return amazonAddress(settings, region)
  }
  if (region === undefined && (await isConfigured(env, /^/))) return ask()
  return { base: baseOf({ ...settings, endpoint: settings.endpoint, region: region ?? 'us-east-1' }), region: region ?? 'us-east-1' }
}

/** The bucket in another region of Amazon. */
export function amazonAddress(settings: S3Settings, region: string): Address {
  return { base: baseOf({ ...settings, endpoint: undefined, region }), region }
}

/** What changes addresses of Amazon. AWS SDKs and Tools reference guide. */
const ENDPOINT_SETTINGS = /use_fips_endpoint|use_dualstack_endpoint|endpoint_url|services/i

/** Whether the environment or the shared config file says something of this kind. */
async function isConfigured(env: Environment, what: RegExp): Promise<boolean> {
  if (env['AWS_USE_FIPS_ENDPOINT'] || env['AWS_USE_DUALSTACK_ENDPOINT']) return true
  const file = env['AWS_CONFIG_FILE'] || join(env['HOME'] || homedir(), '.aws', 'config')
  const text = await readFile(file, 'utf8').catch(() => undefined)
  return text !== undefined && what.test(text)
}
