/**
 * DigitalOcean's CDN signs nothing of its own: it hands the query on to the Space, so that what the inner disk signs is good there,
 * if the host is the network's and the Space was in the host name, not in the path.
 */
import type { Driver, SignedRequest, SignOptions } from '../../driver.ts'
import { ConfigurationError } from '../../errors.ts'
import { encodePath } from '../../path.ts'
import type { CdnAddress } from './address.ts'

/** @throws ConfigurationError when the inner disk signs for another host and path than the Space's own */
export async function signForSpaces(
  inner: Pick<Driver, 'locate' | 'signUrl'>,
  { origin }: CdnAddress,
  { path, options }: { readonly path: string; readonly options: SignOptions },
): Promise<SignedRequest> {
  const request = (await inner.signUrl?.(path, options)) as SignedRequest
  const { pathname, search } = new URL(request.url)
  const key = inner.locate(path)?.key
  if (key !== undefined && pathname !== `/${encodePath(key)}`) {
    throw new ConfigurationError(
      "DigitalOcean's CDN needs signatures with the Space in the host name: the disk has to sign for https://{space}.{region}.digitaloceanspaces.com (no pathStyle)",
    )
  }
  return { ...request, url: `${origin}${pathname}${search}` }
}
