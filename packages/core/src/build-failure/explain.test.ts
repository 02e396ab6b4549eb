import { describe, expect, it } from 'vitest'
import { explainStepFailure, type StepFailureCause } from './explain.js'

type Row = readonly [name: string, log: string, cause: StepFailureCause, program: string | undefined, seen: RegExp]

/** As the programs print them, shortened. */
const logs: readonly Row[] = [
  [
    'npm: peers that do not go together',
    'npm warn deprecated inflight@1.0.6: leaks memory\nnpm error code ERESOLVE\nnpm error ERESOLVE unable to resolve dependency tree\nnpm error Found: react@18.2.0\nnpm error A complete log of this run can be found in: /root/.npm/_logs/x.log',
    'version-conflict',
    'npm',
    /ERESOLVE/,
  ],
  [
    'npm: a lockfile that lags',
    'npm ERR! code EUSAGE\nnpm ERR! `npm ci` can only install packages when your package.json and package-lock.json are in sync.',
    'version-conflict',
    'npm',
    /EUSAGE/,
  ],
  [
    'npm: no name server',
    'npm error code EAI_AGAIN\nnpm error syscall getaddrinfo\nnpm error request to https://host/x failed, reason: getaddrinfo EAI_AGAIN host',
    'network',
    'npm',
    /EAI_AGAIN/,
  ],
  [
    'npm: a package that is not there',
    'npm error code E404\nnpm error 404 Not Found - GET https://host/@our%2flib - Not found',
    'package-missing',
    'npm',
    /E404/,
  ],
  [
    'npm: a script that is not there',
    'npm error Missing script: "build"\nnpm error\nnpm error To see a list of scripts, run:',
    'file-missing',
    'npm',
    /Missing script/,
  ],
  [
    'npm: an architecture',
    'npm error code EBADPLATFORM\nnpm error notsup Unsupported platform for fsevents@2.3.3',
    'wrong-architecture',
    'npm',
    /EBADPLATFORM/,
  ],
  [
    'npm: a full disk',
    'npm error code ENOSPC\nnpm error ENOSPC: no space left on device, write',
    'disk-full',
    'npm',
    /ENOSPC/,
  ],
  [
    'node: memory',
    '\n<--- Last few GCs --->\n\nFATAL ERROR: Ineffective mark-compacts near heap limit Allocation failed - JavaScript heap out of memory\nAborted (core dumped)',
    'out-of-memory',
    undefined,
    /heap out of memory/,
  ],
  [
    'pnpm',
    ' ERR_PNPM_OUTDATED_LOCKFILE  Cannot install with "frozen-lockfile" because pnpm-lock.yaml is not up to date',
    'version-conflict',
    'pnpm',
    /OUTDATED/,
  ],
  [
    'yarn',
    'yarn install v1.22.22\nwarning package.json: No license field\nerror foo@2.0.0: The engine "node" is incompatible with this module. Expected version ">=24". Got "20.1.0"\nerror Found incompatible module.',
    'version-conflict',
    'yarn',
    /engine/,
  ],
  ['tsc', "src/a.ts(3,7): error TS2322: Type 'string' is not assignable to type 'number'.", 'syntax', 'tsc', /TS2322/],
  [
    'pip: no such version',
    'ERROR: Could not find a version that satisfies the requirement numpy==99 (from versions: 1.0, 2.0)\nERROR: No matching distribution found for numpy==99',
    'version-conflict',
    'pip',
    /No matching distribution/,
  ],
  [
    'pip: a conflict',
    'ERROR: Cannot install a and b because these package versions have conflicting dependencies.\nThe conflict is caused by:\n    a 1 depends on c<1',
    'version-conflict',
    'pip',
    /conflicting/,
  ],
  [
    'pip: no network',
    "WARNING: Retrying (Retry(total=0)) after connection broken by 'NewConnectionError('<x>: Failed to establish a new connection: [Errno -3] Temporary failure in name resolution')': /simple/flask/\nERROR: Could not find a version that satisfies the requirement flask\nERROR: No matching distribution found for flask",
    'network',
    'pip',
    /name resolution/,
  ],
  [
    'pip: no file',
    "ERROR: Could not open requirements file: [Errno 2] No such file or directory: 'requirements.txt'",
    'file-missing',
    'pip',
    /requirements file/,
  ],
  [
    'uv',
    '  × No solution found when resolving dependencies:\n  ╰─▶ Because only a<=1 is available and you require a>1, we can conclude',
    'version-conflict',
    'uv',
    /No solution/,
  ],
  [
    'apt: a name',
    'Reading package lists...\nBuilding dependency tree...\nE: Unable to locate package libfoo-dev',
    'package-missing',
    'apt',
    /Unable to locate/,
  ],
  [
    'apt: no network',
    "Err:1 http://host stable InRelease\n  Temporary failure resolving 'host'\nE: Failed to fetch http://host/x  Temporary failure resolving 'host'\nE: Some index files failed to download.",
    'network',
    'apt',
    /resolving/,
  ],
  [
    'apt: broken',
    'The following packages have unmet dependencies:\n a : Depends: b (>= 2)\nE: Unable to correct problems, you have held broken packages.',
    'version-conflict',
    'apt',
    /held broken/,
  ],
  [
    'apk',
    'ERROR: unable to select packages:\n  nope (no such package):\n    required by: world[nope]',
    'package-missing',
    'apk',
    /unable to select/,
  ],
  [
    'maven: code',
    '[INFO] BUILD FAILURE\n[ERROR] COMPILATION ERROR : \n[ERROR] /app/src/A.java:[3,5] cannot find symbol\n[ERROR] -> [Help 1]',
    'syntax',
    'maven',
    /COMPILATION/,
  ],
  [
    'maven: an artifact',
    '[ERROR] Failed to execute goal on project a: Could not resolve dependencies for project x: Could not find artifact g:a:jar:1 in central',
    'package-missing',
    'maven',
    /artifact/,
  ],
  [
    'maven: no network',
    '[ERROR] Non-resolvable parent POM: Could not transfer artifact g:a:pom:1 from/to central: host: Name or service not known',
    'network',
    'maven',
    /transfer/,
  ],
  [
    'maven: a Java version',
    '[ERROR] Failed to execute goal compile: Fatal error compiling: error: release version 25 not supported',
    'version-conflict',
    'maven',
    /release version/,
  ],
  [
    'gradle',
    "FAILURE: Build failed with an exception.\n\n* What went wrong:\nExecution failed for task ':compileJava'.\n> Compilation failed; see the compiler error output for details.",
    'syntax',
    'gradle',
    /Compilation failed/,
  ],
  [
    'cargo: code',
    'error[E0425]: cannot find value `x` in this scope\n --> src/main.rs:2:5\nerror: could not compile `a` (bin "a") due to 1 previous error',
    'syntax',
    'cargo',
    /E0425/,
  ],
  [
    'cargo: versions',
    'error: failed to select a version for the requirement `serde = "^99"`',
    'version-conflict',
    'cargo',
    /select a version/,
  ],
  ['go: code', '# example.org/a\n./main.go:4:2: undefined: x', 'syntax', 'go', /undefined/],
  [
    'go: a version',
    'go: errors parsing go.mod:\ngo: go.mod requires go >= 1.99 (running go 1.25; GOTOOLCHAIN=local)',
    'version-conflict',
    'go',
    /requires go/,
  ],
  [
    'go: no network',
    'go: example.org/x@v1.0.0: Get "https://host/x": dial tcp: lookup host: no such host',
    'network',
    'go',
    /dial tcp/,
  ],
  [
    'composer',
    '  Problem 1\n    - Root composer.json requires php ^9 but your php version (8.4) does not satisfy that requirement.\nYour requirements could not be resolved to an installable set of packages.',
    'version-conflict',
    'composer',
    /could not be resolved/,
  ],
  [
    'bundler',
    "Could not find gem 'rails (~> 99)' in rubygems repository or installed locally.",
    'package-missing',
    'bundler',
    /gem/,
  ],
  [
    'dotnet',
    'A.cs(3,9): error CS0103: The name x does not exist in the current context [/a.csproj]',
    'syntax',
    'dotnet',
    /CS0103/,
  ],
  [
    'gcc',
    'a.c:3:10: fatal error: foo.h: No such file or directory\ncompilation terminated.',
    'file-missing',
    'compiler',
    /foo\.h/,
  ],
  ['a shell', '/bin/sh: 1: yarnn: not found', 'command-missing', undefined, /yarnn/],
  [
    'another architecture',
    '/bin/sh: /app/server: cannot execute binary file: Exec format error',
    'wrong-architecture',
    undefined,
    /Exec format/,
  ],
  ['rights', "mkdir: cannot create directory '/app/dist': Permission denied", 'permission', undefined, /denied/],
  [
    'colours',
    '\u001b[31mnpm\u001b[0m \u001b[31merror\u001b[0m code ETARGET',
    'version-conflict',
    'npm',
    /^npm error code ETARGET$/,
  ],
]

describe('why a step failed', () => {
  it.each(logs)('%s', (_, log, cause, program, seen) => {
    const found = explainStepFailure({ exitCode: 1, lines: log.split('\n') })
    expect([found.cause, found.program]).toEqual([cause, program])
    expect(found.seen).toMatch(seen)
    expect(found.lines).toContain(found.seen)
    expect(found.lines.length).toBeLessThanOrEqual(10)
    expect(found.hint.length).toBeGreaterThan(20)
  })

  it('finds an error that has long scrolled by, and not the noise after it', () => {
    const noise = Array.from({ length: 300 }, (_, index) => `progress ${index}`)
    const found = explainStepFailure({
      exitCode: 1,
      lines: ['npm error code ERESOLVE', 'npm error Found: react@18', ...noise],
    })
    expect(found.lines).toEqual(['npm error code ERESOLVE', 'npm error Found: react@18'])
  })

  it.each([
    ['a warning that speaks of errors', ['npm warn old: fixes error handling of ECONNRESET', 'tests: 1 failed']],
    ['a test that failed', ['FAIL src/a.test.js', 'expected 1 to be 2']],
    ['a package of that name', ['added killed-process@1.0.0', 'exit 1']],
    ['nothing at all', []],
  ])('makes nothing up from %s', (_, lines) => {
    const { cause, program } = explainStepFailure({ exitCode: 1, lines })
    expect([cause, program]).toEqual(['unknown', undefined])
  })

  it('takes the exit code where no word tells', () => {
    expect(explainStepFailure({ exitCode: 137, lines: [] })).toMatchObject({ cause: 'out-of-memory' })
    expect(explainStepFailure({ exitCode: 127, lines: ['what'] })).toMatchObject({
      cause: 'command-missing',
      lines: ['what'],
    })
  })

  it('is quick for a long line', () => {
    const started = performance.now()
    explainStepFailure({ exitCode: 1, lines: Array(400).fill('package a '.repeat(200)) })
    expect(performance.now() - started).toBeLessThan(2_000)
  })
})
