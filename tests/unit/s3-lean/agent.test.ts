/** An agent that was given makes every connection of the disk, whoever sends the request, and is left as it was. */
import { Agent as HttpAgent, type ClientRequest } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import { describe, expect, it } from '@jest/globals'
import { Disk } from '../../../src/disk.ts'
import { S3Driver, type S3DriverOptions } from '../../../src/drivers/s3/s3-driver.ts'
import { answerWell, closedAfterEach, scriptedStore, type ScriptedStore } from './scripted-store.ts'

const closing = closedAfterEach()

async function meeting(options: Partial<S3DriverOptions>): Promise<ScriptedStore & { readonly disk: Disk }> {
  const store = await scriptedStore(answerWell)
  const given = { bucket: 'b', region: 'us-east-1', endpoint: store.origin, pathStyle: true, key: 'key', secret: 'secret', retries: 0 }
  const disk = new Disk(new S3Driver({ ...given, ...options }))
  closing.push(
    () => disk.close(),
    () => store.close(),
  )
  return { ...store, disk }
}

class Counting extends HttpAgent {
  asked = 0

  addRequest(request: ClientRequest, options: object): void {
    this.asked++
    // Node's own, which its types leave out.
    ;(HttpAgent.prototype as unknown as Counting).addRequest.call(this, request, options)
  }
}

describe.each(['lean', 'sdk'] as const)('an agent, with the transport "%s"', (transport) => {
  it('makes the connections, and is not closed with the disk', async () => {
    const agent = new Counting({ keepAlive: true })
    const { disk, connections } = await meeting({ transport, agent })
    await disk.put('a', 'x')
    await disk.get('a')
    expect([agent.asked, connections.opened]).toEqual([2, 1])
    await disk.close()
    await disk.get('a')
    expect([agent.asked, connections.opened]).toEqual([3, 1])
    agent.destroy()
  })

  it('makes those of what only the SDK does, too', async () => {
    const agent = new Counting({ keepAlive: true })
    const { disk } = await meeting({ transport, agent })
    await disk.buckets?.exists()
    expect(agent.asked).toBe(1)
    agent.destroy()
  })
})

// The SDK says the same, and a timer of its own keeps the process for some seconds.
it('an agent of the other protocol is a mistake in the configuration', async () => {
  const { disk, asked } = await meeting({ transport: 'lean', agent: new HttpsAgent() })
  await expect(disk.get('a')).rejects.toMatchObject({ code: 'configuration', message: expect.stringContaining('"agent"') })
  expect(asked).toEqual([])
})
