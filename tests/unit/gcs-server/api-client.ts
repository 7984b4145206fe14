/** A server for one test file, a bucket for each test, and plain fetch: no SDK between a test and what the server answers. */
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll } from '@jest/globals'
import { type GcsServer, startGcsServer } from '../../support/gcs-server/gcs-server.ts'

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  /** The body as JSON; empty where it is none. */
  readonly json: Resource
}

export interface Resource {
  readonly [field: string]: unknown
}

export interface Asked {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array | object
}

export class ApiClient {
  #server: GcsServer | undefined

  get server(): GcsServer {
    if (this.#server === undefined) throw new Error('the server starts before the tests')
    return this.#server
  }

  async start(): Promise<void> {
    this.#server = await startGcsServer()
  }

  /** Without a token: whoever calls owns everything. Paths are those after `/storage/v1`, or whole addresses. */
  async ask(path: string, { method = 'GET', headers = {}, body }: Asked = {}): Promise<Answer> {
    const url = path.startsWith('http')
      ? path
      : `${this.server.emulatorOrigin}${/^\/(upload|download|storage)/.test(path) ? '' : '/storage/v1'}${path}`
    const isBytes = typeof body === 'string' || ArrayBuffer.isView(body)
    const type = body === undefined || isBytes ? {} : { 'content-type': 'application/json' }
    const content = body === undefined ? {} : { body: isBytes ? (body as string) : JSON.stringify(body) }
    const answer = await fetch(url, { method, headers: { ...type, ...headers }, redirect: 'manual', ...content })
    const text = await answer.text()
    return { status: answer.status, headers: answer.headers, text, json: jsonOf(text) }
  }

  /** A new bucket. @returns its name */
  async bucket(resource: object = {}): Promise<string> {
    const name = `unit-${randomUUID()}`
    const made = await this.ask(`/b?project=${this.server.project}`, { method: 'POST', body: { name, ...resource } })
    if (made.status !== 200) throw new Error(made.text)
    return name
  }

  /** Stores some text by a simple upload. */
  async put(bucket: string, name: string, body: string | Uint8Array = 'content', query = ''): Promise<Answer> {
    const path = `/upload/storage/v1/b/${bucket}/o?uploadType=media&name=${encodeURIComponent(name)}${query}`
    return await this.ask(path, { method: 'POST', headers: { 'content-type': 'text/plain' }, body })
  }

  /** The resource of an object; `rest` follows its name. */
  async object(bucket: string, name: string, rest = ''): Promise<Answer> {
    return await this.ask(`/b/${bucket}/o/${encodeURIComponent(name)}${rest}`)
  }

  async content(bucket: string, name: string): Promise<string> {
    return (await this.object(bucket, name, '?alt=media')).text
  }

  /** Starts a resumable upload. @returns the address of its session */
  async session(bucket: string, name: string, asked: Asked & { readonly query?: string } = {}): Promise<string> {
    const path = `/upload/storage/v1/b/${bucket}/o?uploadType=resumable&name=${encodeURIComponent(name)}${asked.query ?? ''}`
    const { headers, status, text } = await this.ask(path, { body: {}, ...asked, method: 'POST' })
    if (status !== 200) throw new Error(`${status} ${text}`)
    return headers.get('location') ?? ''
  }
}

function jsonOf(text: string): Resource {
  try {
    return (JSON.parse(text) ?? {}) as Resource
  } catch {
    return {}
  }
}

/** A client whose server runs as long as the tests of the file. */
export function apiClient(): ApiClient {
  const client = new ApiClient()
  beforeAll(() => client.start())
  afterAll(() => client.server.close())
  return client
}

/** The one error of a refusal: `reason: message`. */
export function reasonOf({ json }: Answer): string {
  const { errors } = (json['error'] ?? {}) as { errors?: readonly { reason: string }[] }
  return errors?.[0]?.reason ?? ''
}
