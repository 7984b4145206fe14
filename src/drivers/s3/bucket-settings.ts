/** Default encryption and versioning of a bucket: `get` is what holds now, `set` replaces all of it. */
import type { BucketEncryption, BucketSetting, BucketVersioning, CallOptions } from '../../driver.ts'
import { InvalidArgumentError, UnsupportedError } from '../../errors.ts'
import type { S3Access } from './access.ts'
import { ask, codeOf } from './ask.ts'

export interface S3BucketEncryption extends BucketEncryption {
  /** For `kms`: two layers of it (`aws:kms:dsse`). Default: false. */
  readonly dualLayer?: boolean | undefined
  /** For `kms`: keys of the bucket, which make fewer calls to the key service. Default: true. */
  readonly bucketKey?: boolean | undefined
}

/** Undefined: nothing is set, and new files are encrypted the store's own way. */
export function encryptionSetting(access: S3Access): BucketSetting<S3BucketEncryption | undefined> {
  const own = access.settings.bucket
  return {
    get: async (name = own, { signal }: CallOptions = {}) => {
      const answer = await ask(access, ({ client, sdk }, http) => client.send(new sdk.GetBucketEncryptionCommand({ Bucket: name }), http), {
        operation: 'buckets',
        bucket: name,
        signal,
      }).catch((error: unknown) => {
        if (codeOf(error) !== 'ServerSideEncryptionConfigurationNotFoundError') throw error
        return undefined
      })
      const rule = answer?.ServerSideEncryptionConfiguration?.Rules?.[0]
      return rule && encryptionOf(rule)
    },
    set: async (encryption, name = own, { signal }: CallOptions = {}) => {
      const rules = encryption === undefined ? undefined : [ruleOf(encryption)]
      await ask(
        access,
        ({ client, sdk }, http): Promise<unknown> =>
          rules === undefined
            ? client.send(new sdk.DeleteBucketEncryptionCommand({ Bucket: name }), http)
            : client.send(new sdk.PutBucketEncryptionCommand({ Bucket: name, ServerSideEncryptionConfiguration: { Rules: rules } }), http),
        { operation: 'buckets', bucket: name, signal },
      )
    },
  }
}

interface Rule {
  readonly ApplyServerSideEncryptionByDefault?:
    | {
        readonly SSEAlgorithm: 'AES256' | 'aws:kms' | 'aws:kms:dsse' | (string & {}) | undefined
        readonly KMSMasterKeyID?: string | undefined
      }
    | undefined
  readonly BucketKeyEnabled?: boolean | undefined
}

function encryptionOf({ ApplyServerSideEncryptionByDefault: chosen, BucketKeyEnabled }: Rule): S3BucketEncryption | undefined {
  if (chosen?.SSEAlgorithm === undefined) return undefined
  if (!chosen.SSEAlgorithm.startsWith('aws:kms')) return { type: 'store' }
  return {
    type: 'kms',
    ...(chosen.KMSMasterKeyID !== undefined && { keyId: chosen.KMSMasterKeyID }),
    ...(chosen.SSEAlgorithm === 'aws:kms:dsse' && { dualLayer: true }),
    bucketKey: BucketKeyEnabled ?? false,
  }
}

function ruleOf({ type, keyId, dualLayer = false, bucketKey = true }: S3BucketEncryption) {
  if (type === 'store') {
    if (keyId !== undefined || dualLayer) throw new InvalidArgumentError('keys are of the type "kms"')
    return { ApplyServerSideEncryptionByDefault: { SSEAlgorithm: 'AES256' as const } }
  }
  if (type !== 'kms') throw new InvalidArgumentError('the type of encryption is "store" or "kms"')
  const SSEAlgorithm = dualLayer ? ('aws:kms:dsse' as const) : ('aws:kms' as const)
  return {
    ApplyServerSideEncryptionByDefault: { SSEAlgorithm, ...(keyId !== undefined && { KMSMasterKeyID: keyId }) },
    ...(!dualLayer && { BucketKeyEnabled: bucketKey }), // S3 user guide: not for two layers
  }
}

/** @throws UnsupportedError for `off` where it was ever on: S3 only suspends it */
export function versioningSetting(access: S3Access): BucketSetting<BucketVersioning> {
  const { bucket: own, features, name: store } = access.settings
  const get = async (name = own, { signal }: CallOptions = {}): Promise<BucketVersioning> => {
    if (!features.versions) return 'off'
    const { Status } = await ask(
      access,
      ({ client, sdk }, http) => client.send(new sdk.GetBucketVersioningCommand({ Bucket: name }), http),
      { operation: 'buckets', bucket: name, signal },
    )
    if (Status === 'Enabled') return 'enabled'
    return Status === 'Suspended' ? 'suspended' : 'off'
  }
  const set = async (versioning: BucketVersioning, name = own, { signal }: CallOptions = {}): Promise<void> => {
    if (!['enabled', 'suspended', 'off'].includes(versioning)) throw new InvalidArgumentError('versioning is enabled, suspended or off')
    if (versioning === 'off') {
      if ((await get(name, { signal })) !== 'off') throw new UnsupportedError('versioning that was on can be suspended, not switched off')
      return
    }
    if (!features.versions) throw new UnsupportedError(`${store} has no versions`)
    const Status = versioning === 'enabled' ? 'Enabled' : 'Suspended'
    await ask(
      access,
      ({ client, sdk }, http) =>
        client.send(new sdk.PutBucketVersioningCommand({ Bucket: name, VersioningConfiguration: { Status } }), http),
      { operation: 'buckets', bucket: name, signal },
    )
  }
  return { get, set }
}
