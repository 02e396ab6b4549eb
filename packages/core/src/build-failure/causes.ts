import type { StepFailureCause } from './explain.js'

interface CauseRule {
  readonly cause: StepFailureCause
  readonly pattern: RegExp
  /** That alone say so. */
  readonly exitCodes?: readonly number[] | undefined
  readonly hint: string
}

/** In the order in which they explain each other. */
export const causes: readonly CauseRule[] = [
  {
    cause: 'disk-full',
    pattern: /\bENOSPC\b|No space left on device|Disk quota exceeded|not enough free space/i,
    hint: 'Free space where the builder keeps its state, or lower its cache limit.',
  },
  {
    cause: 'out-of-memory',
    pattern:
      /heap out of memory|OutOfMemoryError|Cannot allocate memory|\bENOMEM\b|runtime: out of memory|virtual memory exhausted|signal: (?:9, SIGKILL|killed)|^Killed\b|MemoryError$|\(signal: 9,/,
    hint: 'Give the build more memory, or let it do less at a time (fewer parallel jobs, a larger --max-old-space-size).',
  },
  {
    cause: 'wrong-architecture',
    pattern:
      /exec format error|cannot execute binary file|\bEBADPLATFORM\b|Unsupported platform for |is not a supported wheel on this platform|no match for platform in manifest/i,
    hint: 'Build for the architecture of this machine, or take an image or package that has the one you build for.',
  },
  {
    cause: 'network',
    pattern:
      /\b(?:EAI_AGAIN|ENOTFOUND|ETIMEDOUT|ECONNRESET|ECONNREFUSED|EHOSTUNREACH|ENETUNREACH|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_\w+_CERT\w*)\b|could not resolve host|Temporary failure (?:in name resolution|resolving)|Name or service not known|Network is unreachable|Connection (?:timed out|refused|reset)|No route to host|dial tcp|TLS handshake timeout|certificate verify failed|signed by unknown authority|PKIX path building failed|NewConnectionError|ReadTimeoutError|Could not (?:transfer|GET|HEAD)|spurious network error|temporary error \(try again later\)/i,
    hint: 'Check that this machine reaches the address named: name server, proxy (HTTPS_PROXY), mirror, certificates.',
  },
  {
    cause: 'version-conflict',
    pattern:
      /\b(?:ERESOLVE|EBADENGINE|ETARGET|EUSAGE|ERR_PNPM_OUTDATED_LOCKFILE|ERR_PNPM_UNSUPPORTED_ENGINE|ERR_PNPM_NO_MATCHING_VERSION|ResolutionImpossible)\b|No matching version found|conflicting dependencies|conflict is caused by|No matching distribution found|requires a different Python|Requires-Python|The engine "[^"]+" is incompatible|lockfile (?:needs|would have been|is out of date|had changes)|No solution found|version solving failed|failed to select a version|requires go >= |requires rustc|package .* cannot be built because it requires rustc|release version \S+ not supported|invalid (?:source|target) release|Unsupported class file|unmet dependencies|held broken packages|requirements could not be resolved|could not find compatible versions|Incompatible because|NU1107|NU1605|breaks: /i,
    hint: 'Two versions do not go together: the package, its peers, or the language version of the base image. Renew the lockfile with the version that the image has, or take another base.',
  },
  {
    cause: 'package-missing',
    pattern:
      /\bE404\b|\b404 Not Found\b|Unable to locate package|has no installation candidate|no such package|unable to select packages|Could not find (?:artifact|a version|gem)|Could not resolve dependencies|ERR_PNPM_FETCH_404|Couldn't find (?:any versions|package)|no required module provides|cannot find module providing|unknown revision|no matching package named|ModuleNotFoundError|Cannot find module|Module not found|ERR_MODULE_NOT_FOUND|NU1101/i,
    hint: 'Check the name and version, that the lists are fresh (apt-get update in the same RUN), and that a private package has its registry and a token (--mount=type=secret).',
  },
  {
    cause: 'permission',
    pattern:
      /\b(?:EACCES|EPERM)\b|Permission denied|Operation not permitted|\b(?:E401|E403)\b|401 Unauthorized|403 Forbidden|authentication required/i,
    hint: 'Check USER and the owner of what is written (COPY --chown), or the token for a private registry.',
  },
  {
    cause: 'file-missing',
    pattern:
      /\bENOENT\b|No such file or directory|Missing script: |Could not open requirements file|could not find `?Cargo\.toml|no POM in this directory|go\.mod file not found|can't open file/i,
    hint: 'Check that the file was copied before this step, and that .dockerignore does not leave it out.',
  },
  {
    cause: 'command-missing',
    pattern: /: (?:command )?not found$|executable file not found|^env: .*No such file/i,
    exitCodes: [127, 126],
    hint: 'The program is not in this image, or not on its PATH: install it in an earlier step, or take a base that has it.',
  },
  {
    cause: 'syntax',
    pattern:
      /SyntaxError|syntax error|Parse error|error TS\d+|^error\[E\d+\]|: error: |: error CS\d+|COMPILATION (?:ERROR|FAILURE)|Compilation failed|undefined: |Unexpected token|\.go:\d+:\d+: /i,
    hint: 'The code does not compile or parse: the line named says where.',
  },
]
