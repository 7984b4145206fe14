/**
 * What servers say about files, read.
 *
 *   MLST, MLSD (RFC 3659)   Type=file;Size=1024;Modify=20260102030405.678;UNIX.mode=0644; name
 *   LIST (unix)             -rw-r--r--   1 owner  group      1024 Jan  2 03:04 name
 *   LIST (DOS)              01-02-26  03:04AM                 1024 name
 *
 * Dates of LIST have no year or no time and no zone: they are left out, and asked for with MDTM where they are wanted.
 */
import type { FileInfo } from 'basic-ftp'
import type { Visibility } from '../../driver.ts'
import { UnsupportedError } from '../../errors.ts'

/** One thing on the server. */
export interface Fact {
  readonly name: string
  /** Links and whatever else is neither are `other`. */
  readonly type: 'file' | 'directory' | 'other'
  readonly size: number | undefined
  readonly modified: Date | undefined
  readonly visibility: Visibility | undefined
  /** Mode 0777, as links have it: ProFTPD tells the type of what a link leads to, and the size of the link itself. */
  readonly mayBeLink: boolean
}

const OTHERS_READ = 0o004

/** Every line of an MLSD listing but those of the directory itself and the one above. */
export function parseFacts(text: string): Fact[] {
  return text
    .split(/\r?\n/)
    .map(parseFactLine)
    .filter((fact) => fact !== undefined)
}

/** The facts that MLST gives, between the lines of the reply. */
export function parseMlst(message: string): Fact | undefined {
  const line = message.split(/\r?\n/).find((line) => line.startsWith(' ') && line.includes(';'))
  return line === undefined ? undefined : parseFactLine(line.slice(1))
}

function parseFactLine(line: string): Fact | undefined {
  const space = line.indexOf(' ')
  if (space === -1) return undefined
  const facts = new Map<string, string>()
  for (const fact of line.slice(0, space).split(';')) {
    const equals = fact.indexOf('=')
    if (equals > 0) facts.set(fact.slice(0, equals).toLowerCase(), fact.slice(equals + 1))
  }
  const type = facts.get('type')?.toLowerCase()
  if (type === undefined || type === 'cdir' || type === 'pdir') return undefined
  const size = Number(facts.get('size'))
  const mode = Number.parseInt(facts.get('unix.mode') ?? '', 8)
  return {
    name: line.slice(space + 1),
    type: type === 'file' ? 'file' : type === 'dir' ? 'directory' : 'other',
    size: Number.isSafeInteger(size) ? size : undefined,
    modified: parseTime(facts.get('modify') ?? ''),
    visibility: Number.isNaN(mode) ? undefined : visibilityOf(mode),
    mayBeLink: (mode & 0o777) === 0o777,
  }
}

/** `20260102030405.678`, in UTC (RFC 3659, section 2.3). */
export function parseTime(text: string): Date | undefined {
  const [, year, month, day, hour, minute, second, fraction = ''] = /(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(?:\.(\d+))?/.exec(text) ?? []
  if (year === undefined) return undefined
  const ms = Number(fraction.slice(0, 3).padEnd(3, '0'))
  return new Date(Date.UTC(Number(year), Number(month) - 1, Number(day), Number(hour), Number(minute), Number(second), ms))
}

/** Every line of a LIST, in whichever format. The parser is the client's; its expressions end a line where names may go on. */
export function parseListing(text: string, parseList: (text: string) => FileInfo[]): Fact[] {
  const shielded = text.replaceAll('\u2028', SHIELDS[0]).replaceAll('\u2029', SHIELDS[1])
  return parsed(shielded, parseList).map((info) => ({
    name: info.name.replaceAll(SHIELDS[0], '\u2028').replaceAll(SHIELDS[1], '\u2029'),
    type: info.isFile ? 'file' : info.isDirectory ? 'directory' : 'other',
    size: info.size,
    modified: undefined,
    visibility: info.permissions === undefined ? undefined : visibilityOf(info.permissions.world),
    mayBeLink: false,
  }))
}

/** No path has these. */
const SHIELDS = ['\u0001', '\u0002'] as const

function parsed(text: string, parseList: (text: string) => FileInfo[]): FileInfo[] {
  try {
    return parseList(text)
  } catch (error) {
    throw new UnsupportedError('the server lists directories in a format that is not known', { cause: error })
  }
}

/** Public when everybody may read it. */
function visibilityOf(mode: number): Visibility {
  return (mode & OTHERS_READ) === 0 ? 'private' : 'public'
}
