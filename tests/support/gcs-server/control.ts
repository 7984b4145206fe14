/**
 * What tests may ask the server itself, as functions of its state, and over HTTP for a server in another process: `POST /_control/{name}`
 * with the argument as JSON. No part of Google's API.
 */
import type { Credentials } from './accounts.ts'
import type { Fault, State } from './call.ts'
import { notFound } from './errors.ts'
import { applyLifecycle } from './lifecycle.ts'
import type { Json } from './model.ts'

/** A rule for requests that go wrong; see `faults.ts`. */
export type FaultRule = Omit<Fault, 'times' | 'skip'> & { readonly times?: number; readonly skip?: number }

export interface Controls {
  /** A service account of its own key; `denied` are permissions it does not have. */
  account(options: { readonly name: string; readonly denied?: readonly string[] }): Promise<Credentials>
  /** A bearer token, of the owner unless an account is named. */
  token(options?: { readonly email?: string; readonly seconds?: number }): Promise<{ readonly token: string }>
  /** Spoils the next requests that match. Rules stay until they are used up. */
  fault(rule: FaultRule): Promise<object>
  clearFaults(): Promise<object>
  /** Puts the server's clock forward. */
  advance(options: { readonly ms: number }): Promise<object>
  lifecycle(): Promise<{ readonly deleted: number; readonly changed: number }>
  /** Resumable uploads that are neither done nor cancelled, of one bucket or of all. */
  openUploads(options?: { readonly bucket?: string }): Promise<{ readonly count: number }>
}

/** What the server gives the controls to work with. */
export interface Controlled {
  readonly state: State
  readonly owner: string
  readonly tokenUri: string
  readonly advance: (ms: number) => void
}

export const CONTROLS: readonly (keyof Controls)[] = ['account', 'token', 'fault', 'clearFaults', 'advance', 'lifecycle', 'openUploads']

export function controlsOf({ state, owner, tokenUri, advance }: Controlled): Controls {
  return {
    account: async ({ name, denied = [] }) => state.accounts.create(name, tokenUri, denied),
    token: async ({ email = owner, seconds } = {}) => ({ token: state.accounts.issue(email, seconds) }),
    fault: async (rule) => {
      state.faults.push({ ...rule, times: rule.times ?? 1, skip: rule.skip ?? 0 })
      return {}
    },
    clearFaults: async () => {
      state.faults.length = 0
      return {}
    },
    advance: async ({ ms }) => {
      advance(ms)
      return {}
    },
    lifecycle: async () => applyLifecycle(state),
    openUploads: async ({ bucket } = {}) => {
      const open = [...state.sessions.values()].filter(
        (each) => each.state === 'open' && (bucket ?? each.declared.bucket) === each.declared.bucket,
      )
      return { count: open.length }
    },
  }
}

/** Answers `POST /_control/{name}`. @throws 404 */
export async function runControl(controls: Controls, name: string, argument: Json): Promise<Json> {
  const found = CONTROLS.find((each) => each === name)
  if (found === undefined) throw notFound()
  const run = controls[found] as (argument: Json) => Promise<object>
  return (await run(argument)) as Json
}

/** The same controls of a server elsewhere. */
export function remoteControls(origin: string): Controls {
  const call = async (name: keyof Controls, argument: object = {}): Promise<never> => {
    const answer = await fetch(`${origin}/_control/${name}`, { method: 'POST', body: JSON.stringify(argument) })
    if (!answer.ok) throw new Error(`the test server answered ${answer.status} to ${name}`)
    return (await answer.json()) as never
  }
  return {
    account: (options) => call('account', options),
    token: (options) => call('token', options),
    fault: (rule) => call('fault', rule),
    clearFaults: () => call('clearFaults'),
    advance: (options) => call('advance', options),
    lifecycle: () => call('lifecycle'),
    openUploads: (options) => call('openUploads', options),
  }
}
