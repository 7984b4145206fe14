/**
 * Takes off the disk's own client what the SDK does for every request and this driver has no use for: about an eighth of what a small
 * request costs. A client that came from elsewhere is left as it is.
 */
import type * as Sdk from '@aws-sdk/client-s3'

/** Each does nothing as this driver sets the client up, or something that nobody sees. */
const UNUSED = [
  'loggerMiddleware', // the logger is silent
  'regionRedirectMiddleware', // redirects are not followed
  'addExpectContinueMiddleware', // the header is off
  'getUserAgentMiddleware', // made anew for every request; a fixed one is sent instead
]
const USER_AGENT = 'stowage (aws-sdk-js)'

type Signer = Sdk.S3Client['config']['signer']

export function trimClient({ middlewareStack, config }: Sdk.S3Client, bucket: string): void {
  for (const name of UNUSED) middlewareStack.remove(name)
  // Directory buckets, which end like this, have sessions of their own.
  if (!bucket.endsWith('--x-s3')) middlewareStack.remove('s3ExpressMiddleware')
  // Tells a Lambda function that its own writes have woken it.
  if (process.env['AWS_LAMBDA_FUNCTION_NAME'] === undefined) middlewareStack.remove('recursionDetectionMiddleware')
  middlewareStack.add(
    (next) => (args) => {
      Object.assign((args.request as { readonly headers: object }).headers, { 'user-agent': USER_AGENT })
      return next(args)
    },
    { step: 'build', name: 'userAgent' },
  )
  config.signer = once(config.signer)
}

/** The signer of each scheme, made once: the SDK makes one per request. It asks for the credentials at every signature. */
function once(make: Signer): Signer {
  const signers = new Map<string, ReturnType<Signer>>()
  return (scheme) => {
    const key = `${scheme?.name} ${scheme?.signingName} ${scheme?.signingRegion}`
    let signer = signers.get(key)
    if (signer === undefined) {
      signer = make(scheme)
      signers.set(key, signer)
      signer.catch(() => signers.delete(key))
    }
    return signer
  }
}
