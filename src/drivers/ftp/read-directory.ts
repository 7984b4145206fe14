/** What one directory holds: by MLSD where there is one, else by LIST in the directory itself, so that no name is taken for a pattern or an option. */
import type { CallOptions } from '../../driver.ts'
import { type Fact, parseFacts, parseListing } from './facts.ts'
import type { Session } from './session.ts'

/**
 * Everything but `.` and `..`; undefined where no directory is, or none that we may see.
 * @param plain by LIST in any case: some servers leave links that lead nowhere out of MLSD
 */
export async function readDirectory(
  session: Session,
  key: string,
  { signal, plain = false }: CallOptions & { readonly plain?: boolean | undefined },
): Promise<Fact[] | undefined> {
  if (session.dialect.facts && !plain) {
    const bytes = await session.receive(`MLSD ${key}`, signal)
    return bytes === undefined ? undefined : parseFacts(decoded(bytes))
  }
  if ((await session.ask(`CWD ${key}`, signal)) === undefined) return undefined
  // Hidden files too, where the server takes options.
  const bytes = (await session.receive('LIST -a', signal)) ?? (await session.receive('LIST', signal))
  return bytes === undefined ? undefined : parseListing(decoded(bytes), session.parseList)
}

/** Without the lines that are no UTF-8: no path can name what they name. */
function decoded(bytes: Buffer): string {
  const text = bytes.toString('utf8')
  if (!text.includes('\ufffd')) return text
  const lines = bytes.toString('latin1').split('\n')
  return lines.map((line) => decodedLine(Buffer.from(line, 'latin1'))).join('\n')
}

function decodedLine(bytes: Buffer): string {
  const line = bytes.toString('utf8')
  return Buffer.from(line, 'utf8').equals(bytes) ? line : ''
}
