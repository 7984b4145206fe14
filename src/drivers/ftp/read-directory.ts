/** What one directory holds: by MLSD where there is one, else by LIST in the directory itself, so that no name is taken for a pattern or an option. */
import type { CallOptions } from '../../driver.ts'
import { type Fact, parseFacts, parseListing } from './facts.ts'
import type { Session } from './session.ts'

/** Everything but `.` and `..`; undefined where no directory is, or none that we may see. */
export async function readDirectory(session: Session, key: string, { signal }: CallOptions): Promise<Fact[] | undefined> {
  if (session.dialect.facts) {
    const text = await session.receive(`MLSD ${key}`, signal)
    return text === undefined ? undefined : parseFacts(text)
  }
  if ((await session.ask(`CWD ${key}`, signal)) === undefined) return undefined
  return parseListing((await session.receive('LIST -a', signal)) ?? '', session.parseList)
}
