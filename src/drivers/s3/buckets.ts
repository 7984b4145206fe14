/**
 * Administration of buckets: the shape that all stores share is `Buckets` in the seam (driver.ts); what only S3 has is added here.
 *
 *   disk.buckets ──▶ create list exists info delete · encryption versioning lifecycle { get, set }
 *
 * Every name defaults to the disk's own bucket. Each call is a request or few, and none is repeated on its own but by the SDK.
 * Facts that the credentials may not see, or that the store does not know, are left out of `info`.
 */
import type { BucketEntry, BucketSetting, BucketVersioning, CallOptions } from '../../driver.ts'
import { type ErrorCode, isStorageError, UnsupportedError } from '../../errors.ts'
import type { S3Access } from './access.ts'
import { ask, codeOf, statusOf } from './ask.ts'
import { type S3BucketEncryption, encryptionSetting, versioningSetting } from './bucket-settings.ts'
import type { S3Connection } from './client.ts'
import { emptyBucket } from './empty-bucket.ts'
import { lifecycleSetting, type S3LifecycleRule } from './lifecycle.ts'
import type { S3BucketInfo, S3Buckets, S3CreateBucketOptions } from './s3-buckets.ts'
import type { S3Settings } from './settings.ts'

export class BucketRequests implements S3Buckets {
  readonly encryption: BucketSetting<S3BucketEncryption | undefined>
  readonly versioning: BucketSetting<BucketVersioning>
  readonly lifecycle: BucketSetting<readonly S3LifecycleRule[]>
  readonly #access: S3Access

  constructor(connection: S3Connection, settings: S3Settings) {
    this.#access = { connection, settings }
    this.encryption = encryptionSetting(this.#access)
    this.versioning = versioningSetting(this.#access)
    this.lifecycle = lifecycleSetting(this.#access)
  }

  /** @throws FileExistsError when there is one. Amazon's us-east-1 says nothing when it is one's own */
  async create(name: string = this.#own, options: S3CreateBucketOptions = {}): Promise<void> {
    const { region, acl, objectOwnership, objectLock } = options
    if (acl !== undefined && !this.#access.settings.features.acl) throw this.#unsupported('ACLs')
    await this.#ask(name, options, ({ client, sdk }, http) =>
      client.send(
        new sdk.CreateBucketCommand({
          Bucket: name,
          ACL: acl,
          ObjectOwnership: objectOwnership,
          ObjectLockEnabledForBucket: objectLock,
          CreateBucketConfiguration: constraint(region),
        }),
        http,
      ),
    )
  }

  /** Those that the credentials own, by name. */
  async list(options: CallOptions = {}): Promise<readonly BucketEntry[]> {
    const found: BucketEntry[] = []
    let token: string | undefined
    do {
      const { Buckets: page = [], ContinuationToken } = await this.#ask(this.#own, options, ({ client, sdk }, http) =>
        client.send(new sdk.ListBucketsCommand(token === undefined ? {} : { ContinuationToken: token }), http),
      )
      for (const { Name = '', CreationDate } of page) found.push({ name: Name, ...(CreationDate && { created: CreationDate }) })
      token = ContinuationToken === '' ? undefined : ContinuationToken
    } while (token !== undefined)
    return found
  }

  /** False only when there is none: one that others own is there. @throws UnauthenticatedError for wrong credentials */
  async exists(name: string = this.#own, options: CallOptions = {}): Promise<boolean> {
    const status = await this.#head(name, options).then(
      () => 200,
      (error: unknown) => answered(error, [301, 400, 403, 404]),
    )
    if (status === 404) return false
    if (status === 200 || status === 301) return true
    // HEAD does not say why; an answer with a body does.
    const locate = this.#ask(name, options, ({ client, sdk }, http) =>
      client.send(new sdk.GetBucketLocationCommand({ Bucket: name }), http),
    )
    return locate.then(() => true, existenceIn)
  }

  /** @throws ConfigurationError when there is none */
  async info(name: string = this.#own, options: CallOptions = {}): Promise<S3BucketInfo> {
    const { BucketRegion } = await this.#ask(name, options, async ({ client, sdk }, http) => {
      const output = await client.send(new sdk.HeadBucketCommand({ Bucket: name }), http).catch((error: unknown) => {
        throw missingIn(error)
      })
      return output
    })
    const [created, versioning, encryption, publicAccess, objectOwnership, objectLock] = await Promise.all([
      known(this.#created(name, options)),
      known(this.versioning.get(name, options)),
      known(this.encryption.get(name, options)),
      known(this.#publicAccess(name, options)),
      known(this.#ownership(name, options)),
      known(this.#objectLock(name, options)),
    ])
    const facts = { region: BucketRegion, created, versioning, encryption, publicAccess, objectOwnership, objectLock }
    return { name, ...Object.fromEntries(Object.entries(facts).filter(([, fact]) => fact !== undefined)) }
  }

  /** An absent one is fine. `force` empties it first: every version, every delete marker, every open upload. */
  async delete(name: string = this.#own, options: CallOptions & { readonly force?: boolean | undefined } = {}): Promise<void> {
    try {
      if (options.force === true) await emptyBucket(this.#access, name, options)
      await this.#ask(name, options, ({ client, sdk }, http) => client.send(new sdk.DeleteBucketCommand({ Bucket: name }), http))
    } catch (error) {
      if (codeOf(error) !== 'NoSuchBucket') throw error
    }
  }

  get #own(): string {
    return this.#access.settings.bucket
  }

  #ask<Answer>(bucket: string, { signal }: CallOptions, send: Parameters<typeof ask<Answer>>[1]): Promise<Answer> {
    return ask(this.#access, send, { operation: 'buckets', bucket, signal })
  }

  async #head(name: string, options: CallOptions): Promise<void> {
    await this.#ask(name, options, ({ client, sdk }, http) => client.send(new sdk.HeadBucketCommand({ Bucket: name }), http))
  }

  async #created(name: string, options: CallOptions): Promise<Date | undefined> {
    return (await this.list(options)).find((bucket) => bucket.name === name)?.created
  }

  async #publicAccess(name: string, options: CallOptions): Promise<'blocked' | 'allowed'> {
    const { PublicAccessBlockConfiguration: block = {} } = await this.#ask(name, options, ({ client, sdk }, http) =>
      client.send(new sdk.GetPublicAccessBlockCommand({ Bucket: name }), http),
    ).catch(absent('NoSuchPublicAccessBlockConfiguration'))
    const { BlockPublicAcls, IgnorePublicAcls, BlockPublicPolicy, RestrictPublicBuckets } = block
    return BlockPublicAcls && IgnorePublicAcls && BlockPublicPolicy && RestrictPublicBuckets ? 'blocked' : 'allowed'
  }

  async #ownership(name: string, options: CallOptions): Promise<string | undefined> {
    const { OwnershipControls } = await this.#ask(name, options, ({ client, sdk }, http) =>
      client.send(new sdk.GetBucketOwnershipControlsCommand({ Bucket: name }), http),
    )
    return OwnershipControls?.Rules?.[0]?.ObjectOwnership
  }

  async #objectLock(name: string, options: CallOptions): Promise<boolean> {
    const { ObjectLockConfiguration } = await this.#ask(name, options, ({ client, sdk }, http) =>
      client.send(new sdk.GetObjectLockConfigurationCommand({ Bucket: name }), http),
    ).catch(absent('ObjectLockConfigurationNotFoundError'))
    return ObjectLockConfiguration?.ObjectLockEnabled === 'Enabled'
  }

  #unsupported(what: string): UnsupportedError {
    return new UnsupportedError(`${this.#access.settings.name} has no ${what}`)
  }
}

type Constraint = { readonly LocationConstraint?: never } | undefined

/** us-east-1 is the region that is not named. */
function constraint(region: string | undefined): Constraint {
  return region === undefined || region === 'us-east-1' ? undefined : ({ LocationConstraint: region } as unknown as Constraint)
}

/** An answer to HEAD has no code: 404 is a missing bucket. */
function missingIn(error: unknown): unknown {
  const { $metadata } = error as { readonly $metadata?: { readonly httpStatusCode?: number } }
  return $metadata?.httpStatusCode === 404 ? Object.assign(new Error('NoSuchBucket'), { name: 'NoSuchBucket', $metadata }) : error
}

/** The status of one of these answers; any other error goes on. */
function answered(error: unknown, statuses: readonly number[]): number {
  const status = statusOf(error)
  if (status !== undefined && statuses.includes(status)) return status
  throw error
}

/** Whether an error says that there is a bucket, which is somebody else's or somewhere else. */
function existenceIn(error: unknown): boolean {
  const code = codeOf(error)
  if (code === 'NoSuchBucket') return false
  if (code === 'AccessDenied' || code === 'AllAccessDisabled') return true
  if (['AuthorizationHeaderMalformed', 'PermanentRedirect', 'IllegalLocationConstraintException'].includes(code ?? '')) return true
  throw error
}

/** For a setting that was never made, the answer is an error. */
function absent(code: string): (error: unknown) => Record<string, never> {
  return (error) => {
    if (codeOf(error) !== code) throw error
    return {}
  }
}

/** A fact, or undefined where the credentials or the store do not give it. */
async function known<Fact>(fact: Promise<Fact>): Promise<Fact | undefined> {
  return fact.catch((error: unknown) => {
    if (isStorageError(error) && UNKNOWABLE.has(error.code)) return undefined
    throw error
  })
}

const UNKNOWABLE: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['permission_denied', 'unsupported', 'not_found', 'invalid_argument'])
