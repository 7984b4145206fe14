/** What every part of a local disk has to know about it. */
import type { Visibility } from '../../driver.ts'
import type { Root } from './containment.ts'
import type { Sweeper } from './sweep.ts'

export interface Modes {
  readonly public: number
  readonly private: number
}

export interface LocalSettings {
  readonly root: Root
  readonly fileModes: Modes
  readonly directoryModes: Modes
  /** Of what is written without one. */
  readonly visibility: Visibility
  /** Whether a write waits until the device has it. */
  readonly durable: boolean
  readonly sweeper: Sweeper
}
