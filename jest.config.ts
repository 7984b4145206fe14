import type { Config } from 'jest'

const config: Config = {
  testEnvironment: 'node',
  testMatch: ['<rootDir>/tests/**/*.test.ts'],
  testPathIgnorePatterns: ['/node_modules/', '<rootDir>/tests/heavy/'],
  extensionsToTreatAsEsm: ['.ts'],
  transform: {},
  // For a machine under load: no test waits this long, and none is about time.
  testTimeout: 30_000,
  collectCoverageFrom: ['src/**/*.ts', '!src/**/*.d.ts'],
  coverageProvider: 'babel',
  coverageReporters: ['text-summary', 'json-summary'],
}

export default config
