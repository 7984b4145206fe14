/** The SDK's types, for the inner modules of this driver alone: what users can reach never mentions them. */
import type * as Sdk from '@aws-sdk/client-s3'
import { ConfigurationError } from '../../errors.ts'
import type { S3Connection } from './client.ts'

export interface S3Api {
  readonly sdk: typeof Sdk
  readonly client: Sdk.S3Client
}

/** The SDK and the client of a connection; no promise once they are there, so that the hot path waits for nothing. */
export function api(connection: S3Connection): S3Api | Promise<S3Api> {
  return (connection.opened ?? connection.open()) as S3Api | Promise<S3Api>
}

/** The region that the SDK finds. @throws ConfigurationError where there is none */
export async function foundRegion({ config }: Sdk.S3Client): Promise<string> {
  try {
    return await config.region()
  } catch (cause) {
    throw new ConfigurationError('no region was found: set "region", or AWS_REGION, or "region" in the profile', { cause })
  }
}
