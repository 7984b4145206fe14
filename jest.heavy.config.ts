import type { Config } from 'jest'
import shared from './jest.config.ts'

const config: Config = {
  ...shared,
  testMatch: ['<rootDir>/tests/heavy/**/*.test.ts'],
  testPathIgnorePatterns: ['/node_modules/'],
  // What is measured is measured in processes of its own, so that two at once do not mix.
  maxWorkers: 2,
  testTimeout: 15 * 60_000,
}

export default config
