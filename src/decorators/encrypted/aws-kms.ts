/** AWS Key Management Service as the holder of the master key. Its errors are translated here, by name. */
import type * as Kms from '@aws-sdk/client-kms'
import {
  ConfigurationError,
  type ErrorContext,
  IntegrityError,
  PermissionDeniedError,
  RateLimitedError,
  UnauthenticatedError,
  UnavailableError,
} from '../../errors.ts'
import { importPeer } from '../../peers.ts'
import type { KeyManagement } from './key-providers.ts'

export interface AwsKmsOptions {
  /** A key's id, ARN or alias. */
  readonly keyId: string
  /** Default: the SDK's own search. */
  readonly region?: string | undefined
  readonly endpoint?: string | undefined
  /** A `KMSClient` that was made elsewhere. */
  readonly client?: object | undefined
}

/** Needs `kms:Encrypt` and `kms:Decrypt` on the key. The package `@aws-sdk/client-kms` is loaded at the first call. */
export function awsKms({ keyId, region, endpoint, client }: AwsKmsOptions): KeyManagement {
  let made: Kms.KMSClient | undefined = client as Kms.KMSClient | undefined
  const load = async (): Promise<{ readonly kms: typeof Kms; readonly send: Kms.KMSClient }> => {
    const kms = await importPeer<typeof Kms>('@aws-sdk/client-kms')
    if (made === undefined && endpoint !== undefined && region === undefined && !process.env['AWS_REGION']) {
      throw new ConfigurationError('awsKms with an "endpoint" needs a "region", too')
    }
    made ??= new kms.KMSClient({ ...(region !== undefined && { region }), ...(endpoint !== undefined && { endpoint }) })
    return { kms, send: made }
  }
  return {
    wrap: async (bytes, context) => {
      const { kms, send } = await load()
      const command = new kms.EncryptCommand({ KeyId: keyId, Plaintext: bytes, EncryptionContext: { ...context } })
      return answer((await send.send(command).catch(translate)).CiphertextBlob)
    },
    unwrap: async (wrapped, context) => {
      const { kms, send } = await load()
      const command = new kms.DecryptCommand({ KeyId: keyId, CiphertextBlob: wrapped, EncryptionContext: { ...context } })
      return answer((await send.send(command).catch(translate)).Plaintext)
    },
  }
}

function answer(bytes: Uint8Array | undefined): Uint8Array {
  if (bytes === undefined) throw new UnavailableError('the key management service answered without a key')
  return bytes
}

const ERRORS: Readonly<Record<string, (context: ErrorContext) => Error>> = {
  InvalidCiphertextException: (context) =>
    new IntegrityError('a wrapped key does not open: it is of another master key, or has another id', context),
  IncorrectKeyException: (context) => new IntegrityError('a wrapped key is of another master key', context),
  NotFoundException: (context) => new ConfigurationError('the master key does not exist', context),
  DisabledException: (context) => new ConfigurationError('the master key is disabled', context),
  KMSInvalidStateException: (context) => new ConfigurationError('the master key cannot be used in its present state', context),
  AccessDeniedException: (context) =>
    new PermissionDeniedError('the credentials may not use the master key: kms:Encrypt and kms:Decrypt are needed', context),
  UnrecognizedClientException: (context) => new UnauthenticatedError(undefined, context),
  InvalidKeyUsageException: (context) => new ConfigurationError('the master key is not for encryption', context),
  ValidationException: (context) => new ConfigurationError('the id of the master key, or the wrapped key, is none', context),
  ThrottlingException: (context) => new RateLimitedError(undefined, context),
  LimitExceededException: (context) => new RateLimitedError(undefined, context),
  MissingAuthenticationTokenException: (context) => new UnauthenticatedError(undefined, context),
  IncompleteSignatureException: (context) => new UnauthenticatedError(undefined, context),
  InvalidSignatureException: (context) => new UnauthenticatedError(undefined, context),
  ExpiredTokenException: (context) => new UnauthenticatedError(undefined, context),
  CredentialsProviderError: (context) => new UnauthenticatedError('no AWS credentials were found', context),
}

function translate(error: unknown): never {
  const name = error instanceof Error ? error.name : ''
  const context = { cause: new Error(name || 'unknown') }
  throw ERRORS[name]?.(context) ?? new UnavailableError('the key management service could not be asked', context)
}
