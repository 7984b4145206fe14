/**
 * A connection string of an Azure storage account, as the portal shows it: `Name=value;Name=value`, in any order and case.
 *
 *   DefaultEndpointsProtocol=https;AccountName=…;AccountKey=…;EndpointSuffix=core.windows.net
 *   BlobEndpoint=https://….blob.core.windows.net/;SharedAccessSignature=sv=…
 *   UseDevelopmentStorage=true                                                                    the emulator of this machine
 */
import { ConfigurationError } from '../../errors.ts'

export interface ConnectionParts {
  readonly accountName: string
  readonly accountKey: string | undefined
  readonly sasToken: string | undefined
  /** Without a slash at its end. */
  readonly endpoint: string
}

/** The emulator's account, which every installation has and which protects nothing (Azurite documentation, "Well-known storage account"). */
const EMULATOR = {
  accountName: 'devstoreaccount1',
  accountKey: 'Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==',
  sasToken: undefined,
  endpoint: 'http://127.0.0.1:10000/devstoreaccount1',
} satisfies ConnectionParts

/** @throws ConfigurationError for what is none */
export function parseConnectionString(text: string): ConnectionParts {
  const fields = fieldsOf(text)
  if (fields.get('usedevelopmentstorage')?.toLowerCase() === 'true') return EMULATOR
  const accountName = fields.get('accountname') ?? ''
  const blobEndpoint = fields.get('blobendpoint')?.replace(/\/+$/, '')
  if (blobEndpoint === undefined && accountName === '') {
    throw new ConfigurationError('"connectionString" is none of a storage account: it has neither AccountName nor BlobEndpoint')
  }
  const protocol = fields.get('defaultendpointsprotocol') ?? 'https'
  const suffix = fields.get('endpointsuffix') ?? 'core.windows.net'
  const endpoint = blobEndpoint ?? `${protocol}://${accountName}.blob.${suffix}`
  if (!/^https?:\/\/[^/?#]+/.test(endpoint)) throw new ConfigurationError('"connectionString" has no address that could be used')
  const accountKey = fields.get('accountkey')
  if (accountKey !== undefined && accountName === '')
    throw new ConfigurationError('"connectionString" has an AccountKey without its AccountName')
  return { accountName, accountKey, sasToken: fields.get('sharedaccesssignature'), endpoint }
}

/** Values keep their equals signs: keys and signatures end in such. */
function fieldsOf(text: string): ReadonlyMap<string, string> {
  const fields = text.split(';').flatMap((part): readonly (readonly [string, string])[] => {
    const equals = part.indexOf('=')
    return equals <= 0 ? [] : [[part.slice(0, equals).trim().toLowerCase(), part.slice(equals + 1).trim()]]
  })
  return new Map(fields.filter(([, value]) => value !== ''))
}
