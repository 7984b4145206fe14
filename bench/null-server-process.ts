/** The null server in a process of its own: says its endpoint, then answers each message with what was counted since the one before. */
import { type Conditions, type Counters, NullServer } from './null-server.ts'

export type Report = Counters & { readonly serverCpuMs: number }

const server = await NullServer.start()
let cpu = process.cpuUsage()
process.on('message', (next: Partial<Conditions>) => {
  const { user, system } = process.cpuUsage(cpu)
  process.send?.({ ...server.counters(), serverCpuMs: (user + system) / 1_000 } satisfies Report)
  server.configure(next)
  cpu = process.cpuUsage()
})
process.on('disconnect', () => process.exit())
process.send?.(server.endpoint)
