/**
 * CloudFront invalidations, by the SDK. A batch keeps its caller reference through all attempts, so that one whose answer was lost is
 * not made, and paid for, twice.
 *
 * In progress at once: 3,000 files, and 15 paths with a `*` at their end. How long each takes is CloudFront's affair: counted as five
 * minutes, and what it says itself (TooManyInvalidationsInProgress) counts more. Amazon CloudFront developer guide, "Quotas".
 */
import type * as CloudFront from '@aws-sdk/client-cloudfront'
import {
  ConfigurationError,
  type ErrorContext,
  InvalidArgumentError,
  PermissionDeniedError,
  RateLimitedError,
  type StorageError,
  UnauthenticatedError,
} from '../../errors.ts'
import { importPeer } from '../../peers.ts'
import type { CdnAddress } from './address.ts'
import { noAnswer } from './api-call.ts'
import { countFiles, countWildcards, TokenBucket } from './limits.ts'
import { type Purger, refusalOf, refused, statusError } from './purger.ts'

export interface CloudFrontAccount {
  readonly distributionId: string
  /** As the SDK takes them. Default: its own search. */
  readonly credentials?: object | undefined
  readonly apiUrl?: string | undefined
}

const NAME = 'CloudFront'
const IN_PROGRESS_SECONDS = 300
const MAX_FILES = 3_000
const MAX_WILDCARDS = 15

export function cloudfrontPurger(account: CloudFrontAccount, address: CdnAddress): Purger {
  let client: CloudFront.CloudFrontClient | undefined
  return {
    name: NAME,
    takesPrefixes: true,
    takesAll: true,
    maxTargets: MAX_FILES,
    mixes: true,
    concurrency: 1,
    limits: [
      { meter: new TokenBucket(MAX_FILES, MAX_FILES / IN_PROGRESS_SECONDS), cost: countFiles },
      { meter: new TokenBucket(MAX_WILDCARDS, MAX_WILDCARDS / IN_PROGRESS_SECONDS), cost: countWildcards },
    ],
    purge: async (targets, reference, signal) => {
      const sdk = await importPeer<typeof CloudFront>('@aws-sdk/client-cloudfront')
      client ??= makeClient(sdk, account)
      const items = targets.map((target) => address.pathname(target) + (target.type === 'file' ? '' : '*'))
      const command = new sdk.CreateInvalidationCommand({
        DistributionId: account.distributionId,
        InvalidationBatch: { CallerReference: reference, Paths: { Quantity: items.length, Items: items } },
      })
      await client.send(command, { abortSignal: signal }).catch((error: unknown) => {
        throw translated(error, signal)
      })
    },
    close: async () => client?.destroy(),
  }
}

function makeClient(sdk: typeof CloudFront, { credentials, apiUrl }: CloudFrontAccount): CloudFront.CloudFrontClient {
  return new sdk.CloudFrontClient({
    region: 'us-east-1', // It is one service for the whole world.
    maxAttempts: 1, // Attempts are counted by who calls.
    ...(apiUrl !== undefined && { endpoint: apiUrl }),
    ...(credentials !== undefined && { credentials: credentials as NonNullable<CloudFront.CloudFrontClientConfig['credentials']> }),
  })
}

const ERRORS: Readonly<Record<string, (message: string, context: ErrorContext) => StorageError>> = {
  TooManyInvalidationsInProgress: (message, context) => new RateLimitedError(message, context),
  Throttling: (message, context) => new RateLimitedError(message, context),
  ThrottlingException: (message, context) => new RateLimitedError(message, context),
  NoSuchDistribution: (message, context) => new ConfigurationError(message, context),
  AccessDenied: (message, context) => new PermissionDeniedError(message, context),
  AccessDeniedException: (message, context) => new PermissionDeniedError(message, context),
  InvalidClientTokenId: (message, context) => new UnauthenticatedError(message, context),
  UnrecognizedClientException: (message, context) => new UnauthenticatedError(message, context),
  SignatureDoesNotMatch: (message, context) => new UnauthenticatedError(message, context),
  ExpiredToken: (message, context) => new UnauthenticatedError(message, context),
  CredentialsProviderError: (message, context) => new UnauthenticatedError(message, context),
  InvalidArgument: (message, context) => new InvalidArgumentError(message, context),
  BatchTooLarge: (message, context) => new InvalidArgumentError(message, context),
  InconsistentQuantities: (message, context) => new InvalidArgumentError(message, context),
}

interface SdkError {
  readonly name?: string
  readonly $metadata?: { readonly httpStatusCode?: number }
  readonly $response?: { readonly headers?: Readonly<Record<string, string>> }
}

/** By the SDK's name of it, else by the status. The SDK's own error carries the request and stays behind. */
function translated(error: unknown, signal: AbortSignal): StorageError {
  const { name = '', $metadata, $response } = error as SdkError
  const status = $metadata?.httpStatusCode
  const retryAfter = $response?.headers?.['retry-after']
  const byStatus = status === undefined ? noAnswer(NAME, error, signal) : statusError(NAME, status, retryAfter)
  const make = ERRORS[name]
  if (make === undefined) return byStatus
  const known = make(`${NAME} answered a purge with ${name}`, { cause: Object.assign(new Error(name), { status }) })
  return refused(known, refusalOf(byStatus).retryAfterMs)
}
