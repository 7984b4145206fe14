/** The public surface of `stowage`. */

// As wholes, because only then `declare module 'stowage'` reaches the interfaces in them.
export * from './config/disk-config.ts'
export * from './config/register.ts'
export * from './driver.ts'

export { defineConfig } from './config/define-config.ts'
export { env } from './config/env.ts'
export { configFromEnv } from './config/from-env.ts'
export { loadConfig } from './config/load-config.ts'
export type { DiskContext, DriverFactory } from './config/registry.ts'
export type { Chunk, Contents } from './content.ts'
export type { CallLimits } from './deadline.ts'
export type { CacheCounts } from './decorators/cached/cache-store.ts'
export { type CachedDriver, type CachedOptions, cached } from './decorators/cached/cached.ts'
export type { CacheStoreOptions } from './decorators/cached/open-store.ts'
export { type CdnDriver, cdn } from './decorators/cdn/cdn.ts'
export type { CdnEvent, CdnListener } from './decorators/cdn/events.ts'
export type { CdnGrant } from './decorators/cdn/grant.ts'
export type { CdnOptions } from './decorators/cdn/options.ts'
export type { CdnProvider } from './decorators/cdn/providers.ts'
export { memoryQueue, type PurgeQueue, type QueuedPurge } from './decorators/cdn/purge-queue.ts'
export type { PurgeTarget, PurgeWhat } from './decorators/cdn/purge-target.ts'
export { type AwsKmsOptions, awsKms } from './decorators/encrypted/aws-kms.ts'
export { type EncryptedDriver, type EncryptedOptions, encrypted } from './decorators/encrypted/encrypted.ts'
export { recoveryIdentity } from './decorators/encrypted/identities.ts'
export {
  envKeys,
  fileKeys,
  type KeyManagement,
  type KeyProvider,
  type KeySet,
  kmsKeys,
  passphraseKey,
  wrapNewKey,
} from './decorators/encrypted/key-providers.ts'
export { generateKey } from './decorators/encrypted/keys.ts'
export type { RewrapOptions, RewrapResult } from './decorators/encrypted/rewrap.ts'
export { type FallbackDriver, type FallbackOptions, fallback } from './decorators/fallback/fallback.ts'
export type { LogFields, Logger } from './decorators/log-line.ts'
export { logged, type LoggedOptions } from './decorators/logged.ts'
export { type MirroredDriver, type MirroredOptions, mirrored } from './decorators/mirrored/mirrored.ts'
export type { Difference, VerifyOptions } from './decorators/mirrored/verifying.ts'
export { readOnly } from './decorators/read-only.ts'
export { retrying, type RetryingOptions } from './decorators/retrying.ts'
export { type ScopedDriver, scoped } from './decorators/scoped.ts'
export { served, type ServedDriver, type ServedOptions } from './decorators/served.ts'
export { throttled, type ThrottledOptions } from './decorators/throttled.ts'
export { type Ability, Disk, Filesystem } from './disk.ts'
export type { DiskOptions } from './disk-source.ts'
export type { GcsDriver } from './drivers/gcs/gcs-driver.ts'
export type { AzureDriver } from './drivers/azure/azure-driver.ts'
export type { FtpDriver } from './drivers/ftp/ftp-driver.ts'
export type { LocalDriver } from './drivers/local/local-driver.ts'
export type { MemoryDriver } from './drivers/memory-driver.ts'
export type { S3Driver } from './drivers/s3/s3-driver.ts'
export {
  ConfigurationError,
  type ErrorCode,
  type ErrorContext,
  FileExistsError,
  FileNotFoundError,
  IntegrityError,
  InvalidArgumentError,
  InvalidPathError,
  isNotFound,
  isStorageError,
  KeyNotFoundError,
  type Operation,
  PartialFailureError,
  type PathFailure,
  PermissionDeniedError,
  PreconditionFailedError,
  QuotaExceededError,
  RateLimitedError,
  ReadOnlyError,
  StorageError,
  StrayDiskError,
  TimeoutError,
  UnauthenticatedError,
  UnavailableError,
  UnsupportedError,
} from './errors.ts'
export { Storage } from './facade.ts'
export type { FileSource } from './file-content.ts'
export type {
  AppendOptions,
  CheckResult,
  CheckStep,
  ChecksumOptions,
  CopyOptions,
  DiskListOptions,
  GetOptions,
  JsonOptions,
  NamesOptions,
  PageOptions,
  PutOptions,
  PutResult,
  StandardSchema,
  StatOptions,
  StreamOptions,
  TemporaryUrlOptions,
  TextOptions,
  UploadUrl,
  UploadUrlOptions,
} from './options.ts'
export { StorageManager } from './storage-manager.ts'
