/**
 * What Google answers when it refuses, in its own words and forms: JSON for the JSON API, XML for the object host, and plain text where
 * media goes up or down.
 *
 *   { "error": { "code": 412, "message": "…", "errors": [{ "message": "…", "domain": "global", "reason": "conditionNotMet" }] } }
 *   <?xml version='1.0' encoding='UTF-8'?><Error><Code>PreconditionFailed</Code><Message>…</Message></Error>
 */

export interface Refusal {
  readonly reason: string
  readonly message: string
  readonly domain?: string
  readonly location?: string
  readonly locationType?: string
  /** The code of the XML API, where it is not the one of the status. */
  readonly xmlCode?: string
  /** Added to the XML form. */
  readonly details?: string
  readonly headers?: Readonly<Record<string, string>>
  /** Said in plain text by both APIs: what the upload servers find wrong with the protocol. */
  readonly isText?: true
}

/** Thrown by whatever refuses; the server writes it in the form that the caller's API has. */
export class GcsError extends Error {
  readonly status: number
  readonly refusal: Refusal

  constructor(status: number, refusal: Refusal) {
    super(refusal.message)
    this.status = status
    this.refusal = refusal
  }
}

const XML_CODES: Readonly<Record<number, string>> = {
  400: 'InvalidArgument',
  401: 'AuthenticationRequired',
  403: 'AccessDenied',
  404: 'NoSuchKey',
  409: 'Conflict',
  411: 'MissingContentLength',
  412: 'PreconditionFailed',
  416: 'InvalidRange',
  429: 'SlowDown',
  500: 'InternalError',
  503: 'ServiceUnavailable',
}

export function jsonError({ status, refusal }: GcsError): string {
  const { reason, message, domain = 'global', location, locationType } = refusal
  const where = location === undefined ? {} : { locationType, location }
  return JSON.stringify({ error: { code: status, message, errors: [{ message, domain, reason, ...where }] } })
}

export function xmlError({ status, refusal }: GcsError): string {
  const { message, xmlCode = XML_CODES[status] ?? 'InternalError', details } = refusal
  const more = details === undefined ? '' : `<Details>${escapeXml(details)}</Details>`
  return `<?xml version='1.0' encoding='UTF-8'?><Error><Code>${xmlCode}</Code><Message>${escapeXml(message)}</Message>${more}</Error>`
}

export function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}

export function invalid(message: string): GcsError {
  return new GcsError(400, { reason: 'invalid', message })
}

export function required(parameter: string): GcsError {
  return new GcsError(400, {
    reason: 'required',
    message: `Required parameter: ${parameter}`,
    location: parameter,
    locationType: 'parameter',
  })
}

export function noSuchBucket(): GcsError {
  return new GcsError(404, { reason: 'notFound', message: 'The specified bucket does not exist.', xmlCode: 'NoSuchBucket' })
}

export function noSuchObject(bucket: string, name: string): GcsError {
  return new GcsError(404, { reason: 'notFound', message: `No such object: ${bucket}/${name}`, xmlCode: 'NoSuchKey' })
}

export function notFound(message = 'Not Found'): GcsError {
  return new GcsError(404, { reason: 'notFound', message })
}

export function conflict(message: string, xmlCode?: string): GcsError {
  return new GcsError(409, { reason: 'conflict', message, ...(xmlCode === undefined ? {} : { xmlCode }) })
}

export function conditionNotMet(): GcsError {
  const message = 'At least one of the pre-conditions you specified did not hold.'
  return new GcsError(412, { reason: 'conditionNotMet', message, locationType: 'header', location: 'If-Match' })
}

/** Has no body in either API. */
export function notModified(): GcsError {
  return new GcsError(304, { reason: 'notModified', message: '' })
}

export function rangeNotSatisfiable(size: number): GcsError {
  const headers = { 'content-range': `bytes */${size}` }
  return new GcsError(416, { reason: 'requestedRangeNotSatisfiable', message: 'Request range not satisfiable', headers })
}

/** For what this server does not play; Google would. */
export function notImplemented(what: string): GcsError {
  return new GcsError(501, { reason: 'notImplemented', message: `This test server does not implement ${what}.`, xmlCode: 'NotImplemented' })
}

export function forbidden(message: string, reason = 'forbidden'): GcsError {
  return new GcsError(403, { reason, message })
}

/** The upload servers' own refusals. */
export function badUpload(message: string, status = 400): GcsError {
  return new GcsError(status, { reason: 'invalid', message, isText: true })
}
