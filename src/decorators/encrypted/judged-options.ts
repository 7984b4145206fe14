/** What an encrypted disk is made with, judged before anything is encrypted with it. */
import { ConfigurationError } from '../../errors.ts'
import type { EncryptedOptions } from './encrypted.ts'
import { parseIdentity, parseRecipient } from './identities.ts'
import { judgeKeys, type KeyRing } from './key-ring.ts'
import type { KeyPair } from './x25519.ts'

/** What the layer works with. */
export interface JudgedOptions {
  readonly format: 'age' | 'tink'
  readonly keyRing: () => Promise<KeyRing>
  readonly bindPath: boolean
  readonly passthrough: boolean
  /** Whom new files can be opened by, too; `own`: by the primary key's recovery identity. */
  readonly recovery: readonly Uint8Array[] | 'own'
  /** Identities that files may name; `own`: the recovery identities of the keys. */
  readonly recover: readonly KeyPair[] | 'own'
  /** Files may have headers of any length. */
  readonly foreign: boolean
}

/** @throws ConfigurationError for keys, recipients and identities that are none; the message never has them */
export function judgedOptions(options: EncryptedOptions): JudgedOptions {
  judgeWords(options)
  const { format = 'age', recovery = false, recover = false, bind } = options
  const passthrough = options.passthrough === 'read'
  return {
    format,
    keyRing: judgeKeys(options),
    bindPath: bind === 'path',
    passthrough,
    recovery: typeof recovery === 'string' ? [parseRecipient(recovery)] : recovery ? 'own' : [],
    recover: recover === true ? 'own' : recover === false ? [] : [recover].flat().map(parseIdentity),
    foreign: passthrough || recover !== false,
  }
}

/** What is misspelt would fail open: a file bound to nothing, or without a way to recover it. */
function judgeWords({ format, recovery, recover, bind, passthrough }: EncryptedOptions): void {
  const known = (value: unknown, ...values: readonly unknown[]): boolean => value === undefined || values.includes(value)
  if (!known(format, 'age', 'tink')) throw new ConfigurationError('"format" is "age" or "tink"')
  if (!known(bind, 'path')) throw new ConfigurationError('"bind" is "path", or is left out')
  if (!known(passthrough, 'read', false)) throw new ConfigurationError('"passthrough" is "read", or false')
  const isRecoverable = [recovery, recover].some((value) => value !== undefined && value !== false)
  if (format === 'tink' && isRecoverable)
    throw new ConfigurationError('"recovery" and "recover" are for the format "age": Tink has no other way to a file than its key')
}
