/**
 * Every way in which our images are meant to differ, and why.
 * @type {readonly import('./verdict.mjs').Known[]}
 */
export const differences = [
  {
    oracle: 'docker',
    entries: /./,
    facets: ['config.Image'],
    always: false,
    because: 'the classic builder names the image of the step before, which exists in its own store only',
  },
]
