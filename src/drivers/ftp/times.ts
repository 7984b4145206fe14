/** Setting the time of a file: MFMT where the server has it, else the older use of MDTM with a time. */
import type { CallOptions } from '../../driver.ts'
import { UnsupportedError } from '../../errors.ts'
import { modifiedOf, requireFile } from './look.ts'
import type { Session } from './session.ts'

/** To the second, in UTC. @throws FileNotFoundError; UnsupportedError where neither works */
export async function setTimes(session: Session, key: string, { time, signal }: CallOptions & { readonly time: Date }): Promise<void> {
  await requireFile(session, key, { signal })
  const stamp = time.toISOString().replace(/\D/g, '').slice(0, 14)
  if (session.dialect.setTime === 'MFMT') {
    await session.command(`MFMT ${stamp} ${key}`, signal)
    return
  }
  await session.ask(`MDTM ${stamp} ${key}`, signal)
  const now = await modifiedOf(session, key, { signal })
  if (now === undefined || Math.floor(now.getTime() / 1_000) !== Math.floor(time.getTime() / 1_000)) {
    throw new UnsupportedError('the server does not set the times of files (MFMT)')
  }
}
