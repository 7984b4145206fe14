import type { Config } from 'jest'
import shared from './jest.config.ts'

const { maxWorkers: _, coverageReporters: __, ...given } = shared
const testTimeout = 15 * 60_000
const project = { ...given, testTimeout, testPathIgnorePatterns: ['/node_modules/'] }

const config: Config = {
  projects: [
    {
      ...project,
      // Memory, kills and long runs.
      displayName: 'alone',
      testMatch: ['<rootDir>/tests/heavy/*.test.ts'],
      runner: '<rootDir>/tests/support/serial-runner.cjs',
    },
    {
      ...project,
      // The kit and the tables of faults.
      displayName: 'together',
      testMatch: ['<rootDir>/tests/heavy/*/**/*.test.ts'],
    },
  ],
  maxWorkers: 3,
  testTimeout,
}

export default config
