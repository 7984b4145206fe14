import type { Config } from 'jest'

const config: Config = {
  testEnvironment: 'node',
  testMatch: ['<rootDir>/tests/**/*.test.ts'],
  testPathIgnorePatterns: ['/node_modules/', '<rootDir>/tests/heavy/'],
  extensionsToTreatAsEsm: ['.ts'],
  transform: {},
  collectCoverageFrom: ['src/**/*.ts', '!src/**/*.d.ts'],
  coverageProvider: 'babel',
  coverageReporters: ['text-summary', 'json-summary'],
}

export default config
