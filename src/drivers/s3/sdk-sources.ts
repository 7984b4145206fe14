/** What the SDK finds out for the lean transport, by its own rules: who asks, and where. */
import { ConfigurationError } from '../../errors.ts'
import type { S3Access } from './access.ts'
import { translated } from './s3-errors.ts'
import { api, foundRegion } from './sdk.ts'
import type { S3Identity } from './settings.ts'

/** @throws UnauthenticatedError when there are no credentials to be found */
export async function identityOf({ connection }: S3Access, options?: { readonly forceRefresh?: boolean }): Promise<S3Identity> {
  const { client } = await api(connection)
  return client.config.credentials(options as never) // Typed without its options, which its memory takes.
}

/** The part of a request that tells where it goes. */
interface Addressed {
  readonly protocol: string
  readonly hostname: string
  readonly port?: number
  readonly path: string
}

interface EndpointContext {
  readonly endpointV2?: {
    readonly properties?: { readonly authSchemes?: readonly { readonly name: string; readonly signingRegion?: string }[] }
  }
}

/**
 * The bucket's address as a request of the SDK would have it, which is made and never sent: every source of configuration has its say.
 * @throws ConfigurationError where no region is found, or the address needs signatures of another kind
 */
export async function addressOf({ connection, settings }: S3Access): Promise<{ readonly base: string; readonly region: string }> {
  try {
    const { sdk, client } = await api(connection)
    const region = await foundRegion(client)
    const command = new sdk.HeadBucketCommand({ Bucket: settings.bucket })
    let found: { readonly request: Addressed; readonly context: EndpointContext } | undefined
    command.middlewareStack.add(
      (_, context) => async (args) => {
        found = { request: args.request as Addressed, context }
        return { response: undefined, output: { $metadata: {} } }
      },
      { step: 'build', priority: 'low', name: 'addressOnly' },
    )
    await client.send(command)
    if (found === undefined) throw new ConfigurationError('the SDK has no address for the bucket')
    const { protocol, hostname, port, path } = found.request
    const [scheme] = found.context.endpointV2?.properties?.authSchemes ?? []
    if (scheme !== undefined && scheme.name !== 'sigv4') throw new ConfigurationError(`the bucket needs "transport" to be "sdk"`)
    const base = `${protocol}//${hostname}${port === undefined ? '' : `:${port}`}${path}`.replace(/\/+$/, '')
    return { base, region: scheme?.signingRegion ?? region }
  } catch (error) {
    throw translated(error, settings.bucket)
  }
}
