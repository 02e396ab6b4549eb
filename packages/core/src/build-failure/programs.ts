/** How a program's own error lines begin; warnings and progress do not match. */
export interface BuildProgram {
  readonly name: string
  readonly error: RegExp
}

/** Package managers and compilers. The more special come first: pip's `ERROR:` is also a word of others. */
export const programs: readonly BuildProgram[] = [
  { name: 'npm', error: /^npm (?:ERR!|error)(?: |$)/ },
  { name: 'pnpm', error: /^\s?ERR_PNPM_|^\s*ERROR\s{2}/ },
  {
    name: 'yarn',
    error: /^error (?!Command failed|TS\d)|^➤ YN\d{4}: .*(?:Error|failed|can't|couldn't)|^Usage Error: /,
  },
  { name: 'tsc', error: /\berror TS\d+: / },
  {
    name: 'pip',
    error:
      /^ERROR: (?:Could not|No matching|Cannot|Failed|Package|Ignored|Invalid|ResolutionImpossible|.*requires|Exception)|^\s*× .*(?:pip|subprocess|did not run)|^error: subprocess-exited/,
  },
  { name: 'uv', error: /^\s*× (?:No solution|Failed|Distribution)|^\s*╰─▶ / },
  { name: 'poetry', error: /version solving failed|^Because .* depends on / },
  { name: 'apt', error: /^E: / },
  {
    name: 'apk',
    error: /^ERROR: unable to select packages|^ERROR: .*\b(?:APKINDEX|breaks: world)|^\s+\S+ \(no such package\)/,
  },
  { name: 'maven', error: /^\[ERROR\] (?!-> \[Help|Re-run|To see|For more)/ },
  { name: 'gradle', error: /^FAILURE: |^\* What went wrong|^> (?:Could not|Task .* failed|Execution failed)|^e: / },
  { name: 'cargo', error: /^error(?:\[E\d+\])?: / },
  { name: 'go', error: /^go: (?!downloading|finding|added|upgraded|extracting)|^\S+\.go:\d+:\d+: / },
  { name: 'composer', error: /^\s*Your requirements could not be resolved|^\s{2}Problem \d|^In \S+\.php line / },
  {
    name: 'bundler',
    error: /^Could not find (?:gem|compatible)|^Bundler could not|^Gem::|^An error occurred while installing /,
  },
  { name: 'dotnet', error: /: error (?:CS|NU|MSB|NETSDK)\d+: / },
  { name: 'compiler', error: /^\S+:\d+(?::\d+)?: (?:fatal )?error: / },
  { name: 'make', error: /^(?:make|gmake)(?:\[\d+\])?: \*\*\* / },
  { name: 'python', error: /^(?:[A-Za-z_.]+\.)?[A-Z][A-Za-z]*(?:Error|Exception)(?:: |$)/ },
]
