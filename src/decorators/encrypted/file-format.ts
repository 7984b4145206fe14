/** What a format of encrypted files has to say; `age-format.ts` and `tink-format.ts` say it. */
import type { CipherGCM, DecipherGCM } from 'node:crypto'
import type { Layout } from './segments.ts'

export interface FileFormat {
  /** Of the files that are written. */
  readonly layout: Layout
  /** Whether the first bytes of a file, as far as there are any, may be of this format. */
  readonly looksRight: (head: Uint8Array) => boolean
  /** A shorter file is none of this format, whatever it looks like. */
  readonly leastBytes: number
  /** A new file key and a header for it: never the same twice. */
  readonly create: (path: string) => NewFile
  /** @param head the first bytes of a file @returns `more` when they do not hold the whole header @throws IntegrityError, KeyNotFoundError */
  readonly open: (head: Uint8Array, path: string) => OpenedFile | 'more'
  /** A header for the same payload under the primary key; undefined where the payload would have to change. */
  readonly rewrap: ((head: Uint8Array, options: RewrapOptions) => Rewrapped | 'more' | 'unchanged') | undefined
}

export interface RewrapOptions {
  readonly from: string
  readonly to: string
  /** `unchanged` for a header that is the primary key's already. */
  readonly onlyOld: boolean
  /** Also a file that is bound to no path yet, where files are. */
  readonly unbound?: boolean | undefined
}

export interface Rewrapped {
  readonly head: Uint8Array
  /** How many bytes of the old file it replaces. */
  readonly oldBytes: number
}

export interface OpenedFile {
  readonly layout: Layout
  /** One of them opens the file, where the header does not say which; at least one. */
  readonly ciphers: readonly FileCipher[]
}

export interface NewFile {
  readonly layout: Layout
  readonly head: Uint8Array
  readonly cipher: FileCipher
}

/** The cipher of one segment, keyed and ready. A key and an index seal once. */
export interface FileCipher {
  readonly seal: (index: number, last: boolean) => Pick<CipherGCM, 'update' | 'final' | 'getAuthTag'>
  readonly open: (index: number, last: boolean) => Pick<DecipherGCM, 'update' | 'final' | 'setAuthTag'>
}
