const afterRun = ['files.dev', 'files.proc', 'files.sys']

/**
 * Every way in which our images are meant to differ, and why.
 * @type {readonly import('./verdict.mjs').Known[]}
 */
export const differences = [
  ...ofBuildKit(),
  ...ofDocker(),
  ...ofBuildah(),
  ...['buildkit', 'docker', 'buildah'].flatMap((oracle) => [
    known(
      oracle,
      'workdir-variables',
      ['config.WorkingDir'],
      'we write the clean path, which is the one that is meant',
    ),
    known(
      oracle,
      'copy-hard-links',
      ['files.d/b'],
      'two names of one file in the context stay one file: half the bytes',
    ),
    known(
      oracle,
      'run-environment',
      ['files.env'],
      'our steps see the host’s proxies, mirrors and certificates, and SOURCE_DATE_EPOCH, for their own time',
    ),
  ]),
  ...['buildkit', 'buildah'].map((oracle) =>
    known(
      oracle,
      'copy-several-no-slash',
      ['outcome'],
      'several files under one name would overwrite each other: refused, as by Docker',
    ),
  ),
  ...['buildkit', 'buildah'].map((oracle) =>
    known(
      oracle,
      'layer-hard-link-to-lower',
      ['files.g'],
      'a name that a step adds to a file of the base stays a name of that file: our layer has both',
    ),
  ),
]

function ofBuildKit() {
  const oracle = 'buildkit'
  return [
    sometimes(oracle, /./, ['config.ArgsEscaped'], 'a mark of Windows images that BuildKit sets with every CMD'),
    sometimes(oracle, /./, afterRun, 'BuildKit’s mount points stay in the layer; ours leave nothing behind'),
    sometimes(
      oracle,
      /^(run-nothing-changed|run-mount-secret-missing|comment-hash-inside|workdir-exists|layer-made-and-removed|layer-hosts)$/,
      ['history'],
      'a step that changed nothing makes no layer; in BuildKit’s lie its mount points, or nothing',
    ),
    known(oracle, /^onbuild-(kept|stage)$/, ['history'], 'ONBUILD is told in the history, as by Docker'),
    known(
      oracle,
      /^(from-scratch-copy|stage-copy-from-image)$/,
      ['config.WorkingDir'],
      'an image that says no working directory has /, as Docker leaves it too',
    ),
    known(oracle, 'arg-env-wins', ['config.Env'], 'an ENV wins over an ARG, wherever that is declared, as for Docker'),
    known(oracle, 'copy-wildcard-none', ['outcome'], 'a pattern that matches nothing is a mistake, as for Docker'),
    known(oracle, 'copy-chown-unknown', ['outcome'], 'a user who is not there is a mistake, as for Docker'),
    known(oracle, 'copy-parents', ['outcome'], 'left out: fit() names COPY --parents and a builder that has it'),
    known(oracle, 'stage-target-number', ['outcome'], 'a target may be a stage’s number, as in COPY --from'),
  ]
}

function ofDocker() {
  const oracle = 'docker'
  return [
    sometimes(
      oracle,
      /./,
      ['config.Image'],
      'the classic builder names the image of the step before, which exists in its own store only',
    ),
    sometimes(
      oracle,
      /^(env-(empty|prefix-removal|replacement)|copy-(chmod|link|exclude|parents|heredoc)|add-(heredoc|exclude)|run-(heredoc|mount|network)|stage-(platform|target-number))/,
      ['outcome'],
      'the classic builder of Docker 20.10 lacks it',
    ),
    known(
      oracle,
      /^(arg-of-parent-stage|arg-platform)$/,
      ['config.Env'],
      'values that the classic builder does not know',
    ),
    known(oracle, 'workdir-user', ['files.made*'], 'a working directory belongs to the USER, as for BuildKit'),
    known(
      oracle,
      'volume-later-run',
      ['history', 'files.d/two'],
      'what a RUN writes below a VOLUME stays, as for BuildKit',
    ),
    known(oracle, 'copy-parent-clipped', ['outcome'], 'what leads above the context is cut off, as by BuildKit'),
    known(
      oracle,
      'add-archive-chown',
      ['files.a*'],
      'what is unpacked gets the owner that is asked for, as by BuildKit',
    ),
    known(oracle, 'copy-inner-over', ['outcome'], 'a directory does not take the place of a file, as for BuildKit'),
    known(oracle, 'copy-special-bits', ['files.a/g', 'files.a/s'], 'set-id bits are kept, as by BuildKit'),
    known(oracle, 'copy-chown-numbers', ['files.made'], 'directories on the way get the owner too, as by BuildKit'),
    known(oracle, 'copy-chown-name', ['outcome'], 'a user’s own group is taken where none has the name'),
    known(oracle, 'ignore-of-dockerfile', ['files.a/*'], 'the classic builder knows no <Dockerfile>.dockerignore'),
    known(
      oracle,
      /^(run-missing-command|stage-scratch-run)$/,
      ['outcome'],
      'both fail: for us a command that is not there ends with 127, as in a shell',
    ),
    known(oracle, 'stage-unused-fails', ['outcome'], 'the classic builder builds stages that nobody needs'),
    known(oracle, 'stage-copy-from-later', ['outcome'], 'COPY may name a stage that comes later, as for BuildKit'),
    known(oracle, 'stage-same-name', ['outcome'], 'of two stages of one name the later counts, as for BuildKit'),
  ]
}

function ofBuildah() {
  const oracle = 'buildah'
  const left = ['files.run', 'files.run/*', 'files.etc', 'files.etc/*', ...afterRun]
  return [
    sometimes(oracle, /./, ['config.Labels'], 'Buildah names itself'),
    sometimes(
      oracle,
      /./,
      left,
      'Buildah’s mount points and network files stay in the layer; ours leave nothing behind',
    ),
    sometimes(
      oracle,
      /^(run-nothing-changed|run-mount-secret-missing|comment-hash-inside|layer-made-and-removed|layer-hosts)$/,
      ['history'],
      'a step that changed nothing makes no layer; in Buildah’s lie its mount points',
    ),
    sometimes(
      oracle,
      /^(env-(empty|prefix-removal|replacement)|copy-(chmod-symbolic|link|exclude|parents|heredoc)|add-(heredoc|exclude)|run-(heredoc|network-none)|stage-copy-from$)/,
      ['outcome'],
      'Buildah 1.28 lacks it',
    ),
    known(oracle, 'arg-of-parent-stage', ['config.Env'], 'a value that Buildah does not know'),
    known(
      oracle,
      /^(shell-changes-forms|stage-inherits|healthcheck-(shell|exec|none)|onbuild-(kept|stage))$/,
      ['config.*', 'files.shell', 'files.w', 'files.x', 'files.y', 'history'],
      'Buildah writes OCI’s form without SHELL, HEALTHCHECK and ONBUILD, and forgets them between stages',
    ),
    sometimes(
      oracle,
      /^(workdir-|copy-workdir|run-workdir)/,
      ['history', 'files.x*', 'files.a/b', 'files.made*', 'files.real/sub'],
      'Buildah makes a working directory only when something is written into it',
    ),
    known(
      oracle,
      /^expose-(variable|wrong)$/,
      ['outcome'],
      'a word that is no port is a mistake, as for BuildKit and Docker',
    ),
    known(oracle, 'copy-chmod-octal', ['files.a'], 'a directory that COPY makes gets the mode too, as from BuildKit'),
    known(
      oracle,
      'add-archive-chown',
      ['files.a/*'],
      'what is unpacked gets the owner that is asked for, as by BuildKit',
    ),
    known(oracle, 'run-mount-bind', ['files.mnt'], 'the place of a mount is no part of the layer'),
    known(oracle, 'expose-forms', ['config.ExposedPorts'], 'a range is each of its ports, as for BuildKit and Docker'),
    known(oracle, 'volume-later-run', ['files.d/two'], 'what a RUN writes below a VOLUME stays, as for BuildKit'),
    known(oracle, 'directive-escape', ['config.Env'], 'a backslash is plain where it is not the escape'),
    known(oracle, 'no-from', ['outcome'], 'a Dockerfile begins with FROM'),
    known(oracle, 'copy-wildcard-escaped', ['files.a/*'], 'Buildah takes the wrong file for an escaped pattern'),
    known(oracle, 'copy-to-file-symlink', ['files.link', 'files.real'], 'a link at the destination is followed'),
    known(oracle, 'copy-inner-over', ['outcome'], 'a directory does not take the place of a file, as for BuildKit'),
    known(oracle, 'copy-special-bits', ['files.a/g', 'files.a/s'], 'set-id bits are kept, as by BuildKit'),
    known(
      oracle,
      'ignore-comments',
      ['files.a/src/*'],
      'Buildah takes a line with a leading space for another pattern',
    ),
  ]
}

/**
 * @param {string} oracle
 * @param {string | RegExp} entries
 * @param {string[]} facets
 * @param {string} because
 * @returns {import('./verdict.mjs').Known}
 */
function known(oracle, entries, facets, because) {
  return { oracle, entries, facets, because }
}

/** @type {typeof known} */
function sometimes(...parts) {
  return { ...known(...parts), always: false }
}
