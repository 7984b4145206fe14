import config from './jest.config.ts'

export default {
  ...config,
  testMatch: ['<rootDir>/tests/heavy/**/*.test.ts'],
  testPathIgnorePatterns: ['/node_modules/'],
  testTimeout: 15 * 60_000,
}
