/** The server of a whole run, in a process of its own. */
import { randomUUID } from 'node:crypto'
import { describe, expect, it } from '@jest/globals'
import { gcsServer } from '../../support/servers/gcs-server.ts'

describe('the shared server', () => {
  it('is one for all who ask, with its faults and accounts', async () => {
    const [one, other] = await Promise.all([gcsServer(), gcsServer()])
    expect(one.origin).toBe(other.origin)
    const name = `shared-${randomUUID()}`
    const { token } = await one.controls.token()
    const authorization = `Bearer ${token}`
    const body = JSON.stringify({ name })
    const made = await fetch(`${one.origin}/storage/v1/b?project=${one.project}`, { method: 'POST', headers: { authorization }, body })
    expect(made.status).toBe(200)
    await other.controls.fault({ status: 503, url: name })
    const statuses: number[] = []
    for (let turn = 0; turn < 2; turn++) statuses.push((await fetch(`${one.emulatorOrigin}/storage/v1/b/${name}`)).status)
    expect(statuses).toEqual([503, 200])
    expect((await fetch(`${one.origin}/storage/v1/b/${name}`)).status).toBe(401)
    const { client_email } = await one.controls.account({ name: 'limited', denied: ['storage.buckets.get'] })
    const limited = `Bearer ${(await one.controls.token({ email: client_email })).token}`
    expect((await fetch(`${one.origin}/storage/v1/b/${name}`, { headers: { authorization: limited } })).status).toBe(403)
    expect((await fetch(`${one.origin}/storage/v1/b/${name}`, { method: 'DELETE', headers: { authorization } })).status).toBe(204)
  })
})
