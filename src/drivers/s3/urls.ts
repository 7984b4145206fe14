/**
 * Where a bucket is, as clients see it: the addresses of public files, and the ones that signed URLs are made for.
 *
 *   https://bucket.s3.eu-west-1.amazonaws.com/a%20b.txt        the bucket in the host name
 *   https://s3.eu-west-1.amazonaws.com/my.bucket/a%20b.txt     in the path: dots do not fit the certificate
 *   https://cdn.example.com/a%20b.txt                          `url`
 *
 * Segments are percent-encoded as signatures of S3 want it: all but letters, digits and - . _ ~
 */
import type { S3Client } from '@aws-sdk/client-s3'
import { ConfigurationError } from '../../errors.ts'
import { encodePath } from '../../path.ts'
import type { S3Connection } from './client.ts'
import { translated } from './s3-errors.ts'
import { api, foundRegion } from './sdk.ts'
import type { S3Settings } from './settings.ts'

/** The address that anyone may read a public file at. Nothing is asked of the store. */
export async function publicUrl(connection: S3Connection, settings: S3Settings, key: string): Promise<string> {
  const base = settings.url ?? (await bucketAddress(connection, settings)).base
  return `${base}/${encodePath(key)}`
}

export interface BucketAddress {
  /** With the bucket, without a slash at the end. */
  readonly base: string
  readonly region: string
}

/** Those that settings alone make up, and what stores have said since. */
const addresses = new WeakMap<S3Settings, BucketAddress>()

/** Amazon has said that the bucket is not where the settings have it. */
export function bucketFoundAt(settings: S3Settings, { base, region }: BucketAddress): void {
  const { publicEndpoint } = settings
  addresses.set(settings, { base: publicEndpoint === undefined ? base : baseOf({ ...settings, endpoint: publicEndpoint, region }), region })
}

/** Where outsiders reach the disk's bucket: at `publicEndpoint` where there is one. */
export async function bucketAddress(connection: S3Connection, settings: S3Settings): Promise<BucketAddress> {
  const known = addresses.get(settings)
  if (known !== undefined) return known
  const own = settings.publicEndpoint ?? settings.endpoint
  if (settings.client === undefined && settings.region !== undefined && !isArn(settings.bucket)) {
    const address = { base: baseOf({ ...settings, endpoint: own, region: settings.region }), region: settings.region }
    addresses.set(settings, address)
    return address
  }
  try {
    const { client } = await api(connection)
    const region = settings.region ?? (await foundRegion(client))
    if (isArn(settings.bucket)) return addressOfArn(client, settings, region)
    const endpoint = own ?? (await endpointOf(client))
    const pathStyle = settings.pathStyle || (settings.client !== undefined && client.config.forcePathStyle === true)
    const accelerate = settings.accelerate || (settings.client !== undefined && client.config.useAccelerateEndpoint === true)
    return { base: baseOf({ bucket: settings.bucket, region, endpoint, pathStyle, accelerate }), region }
  } catch (error) {
    throw translated(error, settings.bucket)
  }
}

interface Place {
  readonly bucket: string
  readonly region: string
  readonly endpoint: string | undefined
  readonly pathStyle: boolean
  readonly accelerate: boolean
}

/** As the SDK's own rules for endpoints have it. */
export function baseOf({ bucket, region, endpoint, pathStyle, accelerate }: Place): string {
  if (endpoint === undefined && accelerate) return `https://${bucket}.s3-accelerate.amazonaws.com`
  const { protocol, host, hostname, pathname } = new URL(endpoint ?? `https://s3.${region}.${domainOf(region)}`)
  const path = pathname.replace(/\/+$/, '')
  const inPath = pathStyle || isAddress(hostname) || !fitsHostName(bucket, protocol)
  return inPath ? `${protocol}//${host}${path}/${encodePath(bucket)}` : `${protocol}//${bucket}.${host}${path}`
}

/** The domains of Amazon's partitions, by how their regions begin. */
const DOMAINS: readonly (readonly [prefix: string, domain: string])[] = [
  ['cn-', 'amazonaws.com.cn'],
  ['us-iso-', 'c2s.ic.gov'],
  ['us-isob-', 'sc2s.sgov.gov'],
  ['eu-isoe-', 'cloud.adc-e.uk'],
  ['us-isof-', 'csp.hci.ic.gov'],
  ['eusc-', 'amazonaws.eu'],
]

function domainOf(region: string): string {
  return DOMAINS.find(([prefix]) => region.startsWith(prefix))?.[1] ?? 'amazonaws.com'
}

/** A certificate of `*.host` covers one label, so dots do only without TLS. */
function fitsHostName(bucket: string, protocol: string): boolean {
  return (
    /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(bucket) && !/\.\.|\.-|-\./.test(bucket) && (protocol === 'http:' || !bucket.includes('.'))
  )
}

function isAddress(hostname: string): boolean {
  return hostname.startsWith('[') || /^\d+(\.\d+){3}$/.test(hostname)
}

/** An access point, in place of a bucket. */
function isArn(bucket: string): boolean {
  return bucket.startsWith('arn:')
}

/** Access points have addresses of their own kind; the SDK knows them. */
function addressOfArn({ config }: S3Client, settings: S3Settings, region: string): BucketAddress {
  const parameters = { Bucket: settings.bucket, Region: region, UseArnRegion: true, Accelerate: false, ForcePathStyle: false }
  const { url, properties } = config.endpointProvider(parameters, {})
  const scheme = (properties?.['authSchemes'] as readonly { readonly name: string; readonly signingRegion?: string }[] | undefined)?.[0]
  if (scheme?.name !== 'sigv4') throw new ConfigurationError('addresses of multi-region access points cannot be signed here')
  return { base: url.href.replace(/\/+$/, ''), region: scheme.signingRegion ?? region }
}

/** Of a client that was made elsewhere, or that found it in the environment. */
async function endpointOf({ config }: S3Client): Promise<string | undefined> {
  if (config.endpoint === undefined) return undefined
  const { protocol, hostname, port, path } = await config.endpoint()
  return `${protocol}//${hostname}${port === undefined ? '' : `:${port}`}${path === '/' ? '' : path}`
}
