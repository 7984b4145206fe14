/** A Redis of one test's own, that may be killed, stopped and started again: on the same port, and empty. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort, need } from '../../support/servers/processes.ts'
import { say } from '../../support/servers/redis-server.ts'

export class OwnRedis {
  readonly port: number
  #child: ChildProcess | undefined

  private constructor(port: number) {
    this.port = port
  }

  static async start(): Promise<OwnRedis> {
    const redis = new OwnRedis(await freePort())
    await redis.start()
    return redis
  }

  /** One that is not running yet. */
  static async reserve(): Promise<OwnRedis> {
    return new OwnRedis(await freePort())
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`
  }

  async start(): Promise<void> {
    const address = ['--bind', '127.0.0.1', '--port', String(this.port)]
    this.#child = spawn(need('redis-server'), [...address, '--save', '', '--appendonly', 'no'], { stdio: 'ignore' })
    while (!(await this.#answers())) await sleep(25)
  }

  async kill(): Promise<void> {
    const child = this.#child
    this.#child = undefined
    if (child === undefined || child.exitCode !== null) return
    const exit = once(child, 'exit')
    child.kill('SIGKILL')
    await exit
  }

  pause(): void {
    this.#child?.kill('SIGSTOP')
  }

  resume(): void {
    this.#child?.kill('SIGCONT')
  }

  async #answers(): Promise<boolean> {
    return (await say(this.port, 'PING\r\n', '\n').catch(() => '')).startsWith('+PONG')
  }
}
