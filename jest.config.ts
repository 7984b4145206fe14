import type { Config } from 'jest'

const config: Config = {
  testEnvironment: 'node',
  testMatch: ['<rootDir>/tests/**/*.test.ts'],
  testPathIgnorePatterns: ['/node_modules/', '<rootDir>/tests/heavy/'],
  extensionsToTreatAsEsm: ['.ts'],
  // Test servers: started when a test asks for one, stopped with the run. See tests/support/servers/.
  globalSetup: '<rootDir>/tests/support/servers/global-setup.ts',
  globalTeardown: '<rootDir>/tests/support/servers/global-teardown.ts',
  transform: {},
  // More than cores: many tests wait for servers.
  maxWorkers: 3,
  // For a machine under load: no test waits this long, and none is about time.
  testTimeout: 30_000,
  collectCoverageFrom: ['src/**/*.ts', '!src/**/*.d.ts'],
  coverageProvider: 'babel',
  coverageReporters: ['text-summary', 'json-summary'],
}

export default config
