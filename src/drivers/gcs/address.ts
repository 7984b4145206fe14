/** Where the store is, known without the SDK: so that two disks can tell that they share a bucket. */
import type { GcsSettings } from './settings.ts'

const GOOGLE = 'https://storage.googleapis.com'

/** With a scheme, without a slash at the end. */
export function addressOf({ endpoint, client }: GcsSettings): string {
  const injected: { readonly apiEndpoint?: string } | undefined = client
  const given = endpoint ?? injected?.apiEndpoint ?? (process.env['STORAGE_EMULATOR_HOST'] || GOOGLE)
  return (/^https?:\/\//i.test(given) ? given : `https://${given}`).replace(/\/+$/, '')
}
