import type { Config } from 'jest'
import shared from './jest.config.ts'

const config: Config = {
  ...shared,
  testMatch: ['<rootDir>/tests/heavy/**/*.test.ts'],
  testPathIgnorePatterns: ['/node_modules/'],
  testTimeout: 15 * 60_000,
}

export default config
