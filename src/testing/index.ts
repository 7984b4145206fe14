/** `stowage/testing`: fakes, faults, matchers, and the conformance kit. */
export { describeDriver, type DescribeDriverOptions, type Exception, type MakeDriver, type TestStore } from './conformance/index.ts'
export { FakeDisk, type FakeOptions } from './fake-disk.ts'
export { type FakeFileOptions, fakeFile } from './fake-file.ts'
export { type FaultyOperation, type FaultyOptions, faulty } from './faulty.ts'
export { type DiskMatchers, matchers } from './matchers.ts'
export type { RecordedOperation } from './recorded.ts'
