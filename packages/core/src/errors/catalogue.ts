/**
 * Every code a `KiwiError` can carry. Codes are public: add freely, never rename, never reuse. Each has a section in docs/errors.md.
 * `retryable` says whether the same call may succeed later with nothing changed.
 */
export const catalogue = {
  ADAPTER_UNAVAILABLE: {
    retryable: true,
    hint: 'Give createKiwi the factory of that kind, or correct the entry of the register; the run waits until then.',
  },
  BASE_IMAGE_MISSING: {
    retryable: false,
    hint: 'Check the name in FROM or --from, and that its registry is registered under that host.',
  },
  BUILDER_UNFIT: {
    retryable: false,
    hint: 'Register a builder that can do what is listed, or change the Dockerfile line.',
  },
  BUILD_STEP_FAILED: {
    retryable: false,
    hint: 'The last log lines are the command’s own words; run it locally in the same base image.',
  },
  BUILD_UNKNOWN: {
    retryable: false,
    hint: 'List the builds of the service for their numbers.',
  },
  CANCELLED: { retryable: false, hint: 'Someone asked for it; start the run again when it is wanted.' },
  CLOSED: { retryable: false, hint: 'Create a new Kiwi; unfinished runs wait for its resume.' },
  CONFLICT: { retryable: true, hint: 'The target changed between look and write; look again.' },
  CONTEXT_INVALID: { retryable: false, hint: 'Check the path against the build context and .dockerignore.' },
  DIGEST_MISMATCH: {
    retryable: true,
    hint: 'The bytes are not what the digest says; a proxy or a disk may be damaging them.',
  },
  DISK_FULL: { retryable: false, hint: 'Free space on the file system named, or move the state directory.' },
  DOCKERFILE_MISSING: {
    retryable: false,
    hint: 'Give build.dockerfile a path that exists, or leave it out and let the wizard write one.',
  },
  DOCKERFILE_SYNTAX: { retryable: false, hint: 'Correct the line named.' },
  FENCED: { retryable: false, hint: 'Another run owns this environment now; this one must stop.' },
  IMAGE_REFERENCE_INVALID: {
    retryable: false,
    hint: 'Names are lower case: [a-z0-9]+ parts joined by . _ - and /; tags have up to 128 of [A-Za-z0-9_.-].',
  },
  IMAGE_UNPROTECTED: {
    retryable: true,
    hint: 'Give the registry’s user the right that is named, then run kiwi.prune({ apply: true }), or release again.',
  },
  INPUT_INVALID: { retryable: false, hint: 'Correct the fields listed; nothing was changed.' },
  INSTANCE_CRASHED: {
    retryable: false,
    hint: 'Read the last output of the instance below: the application ended by itself.',
  },
  INTERNAL: { retryable: false, hint: 'This is a fault in Kiwi or an adapter; report it with the cause below.' },
  IN_USE: {
    retryable: false,
    hint: 'Change or remove what is listed first.',
  },
  LEASE_LOST: { retryable: true, hint: 'Another process took this run over; follow it by its id.' },
  MANIFEST_UNKNOWN: {
    retryable: false,
    hint: 'The registry has no such tag or digest; check the name, or build it again.',
  },
  NOTHING_DEPLOYED: {
    retryable: false,
    hint: 'Release or deploy something there first.',
  },
  PORT_TAKEN: { retryable: false, hint: 'Choose another publish.port, or stop the process that listens there.' },
  QUARANTINED: {
    retryable: false,
    hint: 'Fix what failed and release again; or clear the quarantine, or give acceptQuarantined: true.',
  },
  RATE_LIMITED: { retryable: true, hint: 'Wait as long as the message says, or sign in for a higher limit.' },
  REF_NOT_FOUND: { retryable: false, hint: 'Use a branch, a tag or a commit that the repository has.' },
  REGISTRY_DENIED: { retryable: false, hint: 'The credentials are known but lack this right on this repository.' },
  REGISTRY_FAILED: { retryable: true, hint: 'The registry answered in a way it should not; see the answer below.' },
  REGISTRY_PROJECT_MISSING: {
    retryable: false,
    hint: 'Create the project (or namespace) in the registry, or correct its name in the image settings.',
  },
  REGISTRY_QUOTA_EXCEEDED: {
    retryable: false,
    hint: 'Remove images that nobody needs (kiwi.prune), or have the quota of the project raised.',
  },
  REGISTRY_UNAUTHORIZED: { retryable: false, hint: 'Check user name and password or token for this registry.' },
  REGISTRY_UNREACHABLE: { retryable: true, hint: 'Check host, port, TLS and proxy settings.' },
  ROLLBACK_IMPOSSIBLE: {
    retryable: false,
    hint: 'Choose another release from the history, or build the commit again.',
  },
  ROLLOUT_DEADLINE: {
    retryable: false,
    hint: 'Read what was waited for, and the instances’ output; allow more time with readyWithinMs if it is only slow.',
  },
  RUNTIME_FAILED: { retryable: true, hint: 'The runtime refused or failed; see its own words below.' },
  RUNTIME_UNREACHABLE: {
    retryable: true,
    hint: 'Check that the runtime is up and that its address and access are right.',
  },
  RUN_BUSY: {
    retryable: true,
    hint: 'Wait until the run named has ended, cancel it, or ask with the policy `queue` or `supersede`.',
  },
  RUN_ENDED: {
    retryable: false,
    hint: 'To undo a run that has ended well, revert it.',
  },
  RUN_UNKNOWN: { retryable: false, hint: 'List the runs of the service for their ids.' },
  SCHEMA_CHANGE: {
    retryable: false,
    hint: 'Make sure that the old release works with the new schema, then give acceptSchemaChange: true.',
  },
  SECRET_MISSING: {
    retryable: false,
    hint: 'Give the secret a value (by default: an environment variable of that name) and start again.',
  },
  SERVICE_UNKNOWN: { retryable: false, hint: 'Register the service first.' },
  SOURCE_TOO_LARGE: {
    retryable: false,
    hint: 'Leave out what does not belong in the source, or raise the limit named.',
  },
  SOURCE_UNREACHABLE: { retryable: true, hint: 'Check the repository’s address and access.' },
  STACK_UNKNOWN: { retryable: false, hint: 'Add a Dockerfile: the wizard did not recognise this kind of application.' },
  STATE_DIRECTORY_UNFIT: {
    retryable: false,
    hint: 'Put the state directory on a local file system such as ext4 or xfs.',
  },
  STORE_FAILED: {
    retryable: false,
    hint: 'Check the store’s file or server: space, rights, and that no newer version of Kiwi wrote it.',
  },
  STRATEGY_UNFIT: {
    retryable: false,
    hint: 'Choose another strategy for the environment, or another runtime.',
  },
  SUBMODULE_REFUSED: {
    retryable: false,
    hint: 'Correct .gitmodules (https, ssh or a relative address), or leave submodules out.',
  },
  TAG_IMMUTABLE: {
    retryable: false,
    hint: 'Use a tag rule that gives each build a tag of its own (${SHORT_SHA}, ${BUILD_NUMBER}), or relax the rule of the registry.',
  },
  TASK_FAILED: {
    retryable: false,
    hint: 'Read the command’s output; look what it has changed already before it is run again.',
  },
  TOOL_MISSING: { retryable: false, hint: 'Install the package named.' },
  VERIFY_FAILED: {
    retryable: false,
    hint: 'The new release was ready but did not answer as asked; the route is back on the old one if there was one.',
  },
} as const

export type ErrorCode = keyof typeof catalogue
