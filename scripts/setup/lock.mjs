import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { stateDirectory } from './paths.mjs'

const lockFile = `${stateDirectory}/lock`

/**
 * Runs one set-up at a time, whatever number of commands were started. The lock of a process that is gone is taken over.
 * @template T
 * @param {() => Promise<T>} work
 * @returns {Promise<T>}
 */
export async function withLock(work) {
  mkdirSync(stateDirectory, { recursive: true })
  const mine = `${process.pid} ${birthOf(process.pid)}`
  let told = false
  while (!take(mine)) {
    const holder = read()
    if (holder !== undefined && !isAlive(holder)) {
      removeStale(holder)
      continue
    }
    if (!told) process.stderr.write('another set-up is running; waiting for it …\n')
    told = true
    await sleep(100)
  }
  try {
    return await work()
  } finally {
    if (read() === mine) rmSync(lockFile, { force: true })
  }
}

/** @param {string} mine */
function take(mine) {
  try {
    writeFileSync(lockFile, mine, { flag: 'wx' })
    return true
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code === 'EEXIST') return false
    throw error
  }
}

function read() {
  try {
    return readFileSync(lockFile, 'utf8')
  } catch {
    return undefined
  }
}

/**
 * Two waiters may find the same dead holder: what is renamed away is looked at again, and put back if it was a live one's.
 * @param {string} holder
 */
function removeStale(holder) {
  const aside = `${lockFile}.${process.pid}`
  try {
    renameSync(lockFile, aside)
    if (readFileSync(aside, 'utf8') === holder) rmSync(aside)
    else renameSync(aside, lockFile)
  } catch {
    // somebody else was faster
  }
}

/** @param {string} holder */
function isAlive(holder) {
  const [pid = '', birth = ''] = holder.split(' ')
  if (!/^\d+$/.test(pid)) return holder === '' // the file of a process that is just writing it
  try {
    process.kill(Number(pid), 0)
  } catch (error) {
    return /** @type {NodeJS.ErrnoException} */ (error).code === 'EPERM'
  }
  return birth === birthOf(Number(pid))
}

/**
 * When a process started, so that a number given to another process later is not taken for the first; '' where there is no /proc.
 * @param {number} pid
 */
function birthOf(pid) {
  try {
    return (
      readFileSync(`/proc/${pid}/stat`, 'utf8')
        .replace(/^.*\) /s, '')
        .split(' ')[19] ?? ''
    )
  } catch {
    return ''
  }
}
